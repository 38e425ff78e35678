import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { spawnOwned } from './owned-process.ts'
import { runToEnd } from './run-to-end.ts'
import { until } from './wait.ts'

/** A record as `kcat` shows it: bytes that are no UTF-8 are not to be compared by it, `digest` is for that. */
export interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  /** Who set the timestamp: the producer, or the broker when it appended the record. */
  readonly timestampType: 'create' | 'logappend'
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
}

/**
 * Reads what committed readers see of one partition, from its beginning to its end now. What is written meanwhile is left
 * out: with a steady writer there, kcat's own `-e` may never see an end.
 */
export async function readRecords(bootstrap: string, topic: string, partition = 0): Promise<ReadRecord[]> {
  const endOffset = await readEnd(bootstrap, topic, partition)
  const where = ['-b', bootstrap, '-t', topic, '-p', String(partition), '-o', 'beginning']
  const command = ['kcat', '-C', ...where, '-e', '-q', '-J', '-X', 'fetch.wait.max.ms=50']
  const { child, exit, signal } = spawnOwned(command, { stdio: ['ignore', 'pipe', 'pipe'] })
  const complaints = text(child.stderr!)
  const records: ReadRecord[] = []
  for await (const line of createInterface(child.stdout!)) {
    if (line === '') continue
    const record = parseRecord(line)
    if (record.offset < endOffset) records.push(record)
    if (record.offset >= endOffset - 1) {
      signal('SIGKILL')
      await exit
      return records
    }
  }
  const { code } = await exit
  if (code !== 0) throw new Error(`Reading ${topic}-${partition} ended with ${code}: ${await complaints}`)
  return records
}

/** A broker that has just come up may not lead the partition yet. */
async function readEnd(bootstrap: string, topic: string, partition: number): Promise<number> {
  const answer = await until(
    async () => {
      const { stdout } = await runToEnd(['kcat', '-Q', '-b', bootstrap, '-t', `${topic}:${partition}:-1`])
      return / offset (\d+)/.exec(stdout)
    },
    { timeoutMs: 20_000, describe: `the leader of ${topic}-${partition} to tell its end` }
  )
  return Number(answer[1])
}

function parseRecord(line: string): ReadRecord {
  const { offset, ts, tstype, key, payload, headers = [] } = JSON.parse(line) as KcatRecord
  return { offset, timestamp: ts, timestampType: tstype, key, value: payload, headers: pairs(headers) }
}

/** The source offsets that the records' provenance names, in the order of the copy. */
export function sourceOffsets(records: readonly ReadRecord[]): number[] {
  return records.map(({ headers }) => {
    const origin = headers.findLast(([name]) => name === 'farlog.origin')?.[1]
    return Number(origin?.split('/').at(-1))
  })
}

interface KcatRecord {
  readonly offset: number
  readonly ts: number
  readonly tstype: 'create' | 'logappend'
  readonly key: string | null
  readonly payload: string | null
  readonly headers?: readonly (string | null)[]
}

function pairs(flat: readonly (string | null)[]): [string, string | null][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2]!, flat[i * 2 + 1]!])
}
