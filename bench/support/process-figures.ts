import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

let ticksPerSecond: number | undefined

/** Processor time a process has used since its start, user and system, all threads, as the operating system counts it. */
export function cpuSeconds(pid: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  // The command's name stands in parentheses and may hold spaces; everything behind it is numbers.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  const USER = 11
  const SYSTEM = 12
  return (Number(fields[USER]) + Number(fields[SYSTEM])) / ticksPerSecond
}

/** Cores a process uses on average while something goes on: processor seconds per second. */
export async function coresDuring(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = { cpuSeconds: cpuSeconds(pid), atMs: performance.now() }
  await work()
  return ((cpuSeconds(pid) - before.cpuSeconds) * 1_000) / (performance.now() - before.atMs)
}

/** Resident memory in megabytes (10^6 bytes): now, and at its highest since the start. */
export function residentMb(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const megabytes = (field: string) => (Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1]) * 1024) / 1e6
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') }
}
