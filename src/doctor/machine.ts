/** What this machine, or the container, gives a worker. */
import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import type { Config } from '../config/types.ts'
import { Notes, type Tell } from './finding.ts'

const MIB = 1024 * 1024
/** A worker that does nothing yet, and what each flow adds in each thread when it is full (src/flow/flow-mirror.ts). */
const BASE_BYTES = 256 * MIB
const BYTES_PER_FLOW_AND_THREAD = 128 * MIB
/** Files, sockets of the page and of librdkafka. */
const BASE_DESCRIPTORS = 128
/** Connections to a broker from each thread: fetch loops of two kinds, writers, and questions of several kinds. */
const CONNECTIONS_PER_BROKER = 24

export interface MachineFacts {
  readonly memoryBytes: number
  /** `undefined`: not told on this system. */
  readonly descriptorsMax: number | undefined
  readonly processors: number
}

/** Of the process that looks: a worker that is started the same way has as much. */
export function machineFacts(): MachineFacts {
  const limited = [Number(readFirst('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'))]
  return {
    memoryBytes: Math.min(totalmem(), ...limited.filter(bytes => bytes > 0)),
    descriptorsMax: descriptorsMax(readFirst('/proc/self/limits')),
    processors: availableParallelism()
  }
}

/** @param brokers of all clusters together; what is not known counts as three */
export function checkMachine(
  { threads, flows }: Pick<Config, 'threads' | 'flows'>,
  brokers: number,
  facts: MachineFacts,
  tell: Tell
): void {
  const notes = new Notes('machine', null, tell)
  const { memoryBytes, descriptorsMax: descriptors, processors } = facts
  const neededBytes = BASE_BYTES + BYTES_PER_FLOW_AND_THREAD * flows.length * threads
  const memory = `${Math.round(memoryBytes / MIB)} MiB of memory`
  if (memoryBytes < neededBytes) {
    notes.warning(
      `${memory}: ${threads} threads for ${flows.length} flows may take ${Math.round(neededBytes / MIB)} MiB`,
      'give it more, or lower FARLOG_THREADS'
    )
  } else notes.ok(`${memory}, of which a worker may take ${Math.round(neededBytes / MIB)} MiB`)
  const neededDescriptors = BASE_DESCRIPTORS + CONNECTIONS_PER_BROKER * brokers * threads
  if (descriptors === undefined) notes.skipped('this system does not tell how many files may be open')
  else if (descriptors < neededDescriptors) {
    notes.problem(
      `${descriptors} files may be open; connections to ${brokers} brokers may need ${neededDescriptors}`,
      `raise the limit (ulimit -n ${neededDescriptors})`
    )
  } else notes.ok(`${descriptors} files may be open, and ${neededDescriptors} may be needed`)
  if (threads > processors) {
    notes.warning(`FARLOG_THREADS is ${threads}, and there are ${processors} processors`, 'lower it, or give it more')
  }
}

/** The soft limit on open files in /proc/self/limits. */
export function descriptorsMax(limits: string | undefined): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? '')?.[1]
  if (soft === undefined) return undefined
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

/** The largest buffer that Linux gives a connection by itself: the third of three numbers. */
export function kernelBufferBytes(name: 'tcp_rmem' | 'tcp_wmem'): number | undefined {
  const [, , largest] = (readFirst(`/proc/sys/net/ipv4/${name}`) ?? '').trim().split(/\s+/)
  return largest === undefined || Number.isNaN(Number(largest)) ? undefined : Number(largest)
}

/** The first of these files that can be read. */
function readFirst(...paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      // Other systems, and older ones, have it elsewhere or not at all.
    }
  }
  return undefined
}
