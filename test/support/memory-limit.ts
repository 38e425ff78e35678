/**
 * A real limit of memory around a process, as a container's is: a control group of its own, whose memory is counted whole
 * (threads, native libraries, files in the page cache), and which the kernel kills when it cannot stay below it. Where no
 * group can be made, as for a user who may not or in some containers, `prlimit --data` stands in: what the process may ask
 * for is limited, used or not, and asking for more fails.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './wait.ts'

export interface MemoryLimit extends AsyncDisposable {
  /** What it is made by, for people. */
  readonly means: string
  /** Put in front of a command it makes the command run under the limit. */
  readonly prefix: readonly string[]
  /** The most that was in use at a time. Ask while the process runs. */
  peakBytes(pid: number): number
  /** How often the kernel has killed for it. */
  kills(): number
}

/**
 * V8, WebAssembly and the stacks of threads reserve far more than they touch: an idle worker has some 2.6 GiB of it, of which it
 * uses less than 0.2. With a group that does not count.
 */
const RESERVED_BYTES = 2560 * 1024 * 1024

/** @param bytes of memory, for all processes that are started under it together; there is no swap beyond it */
export function limitMemory(bytes: number, name: string): MemoryLimit {
  const made = groupFiles().find(files => makeGroup(files, bytes, name))
  if (made === undefined) {
    const prefix = ['prlimit', `--data=${bytes + RESERVED_BYTES}`]
    return {
      ...{ means: 'prlimit --data, for want of a control group that can be made', prefix },
      peakBytes: pid => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024,
      kills: () => 0,
      async [Symbol.asyncDispose]() {}
    }
  }
  const group = join(made.root, groupName(name))
  const read = (file: string) => readFileSync(join(group, file), 'utf8')
  return {
    means: `a control group of ${made.version}`,
    // Before it runs: what a process has taken by the time it joins is not counted.
    prefix: ['sh', '-c', 'echo $$ >"$0" && exec "$@"', join(group, 'cgroup.procs')],
    peakBytes: () => Number(read(made.peak)),
    kills: () => Number(/^oom_kill (\d+)$/m.exec(read(made.events))![1]),
    async [Symbol.asyncDispose]() {
      // It takes the kernel a moment to see that the last process has gone.
      await until(() => rmdirSync(group) === undefined, { describe: `${group} to be removed` })
    }
  }
}

interface GroupFiles {
  readonly version: 'cgroup v1' | 'cgroup v2'
  readonly root: string
  readonly limit: string
  readonly peak: string
  readonly events: string
  /** Of memory and swap together, or of swap. */
  readonly swap: { readonly file: string; readonly isTotal: boolean }
}

/** Where this process may make groups: below the root of each hierarchy that is there. */
function groupFiles(): GroupFiles[] {
  return [
    {
      ...{ version: 'cgroup v1' as const, root: '/sys/fs/cgroup/memory' },
      ...{ limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes', events: 'memory.oom_control' },
      swap: { file: 'memory.memsw.limit_in_bytes', isTotal: true }
    },
    {
      ...{ version: 'cgroup v2' as const, root: '/sys/fs/cgroup' },
      ...{ limit: 'memory.max', peak: 'memory.peak', events: 'memory.events' },
      swap: { file: 'memory.swap.max', isTotal: false }
    }
  ]
}

function makeGroup({ root, limit, peak, events, swap }: GroupFiles, bytes: number, name: string): boolean {
  const group = join(root, groupName(name))
  try {
    mkdirSync(group)
  } catch {
    return false
  }
  try {
    writeFileSync(join(group, limit), String(bytes))
    if (existsSync(join(group, swap.file))) writeFileSync(join(group, swap.file), swap.isTotal ? String(bytes) : '0')
    for (const file of [peak, events]) readFileSync(join(group, file))
    return true
  } catch {
    // A hierarchy without the memory controller, or one that does not tell enough.
    rmdirSync(group)
    return false
  }
}

function groupName(name: string): string {
  return `farlog-${name}-${process.pid}`
}
