import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'

/** How a process ended: by its own exit code, or by a signal. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A child process that never outlives this one. */
export interface OwnedProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** Settles when the process has ended; never rejects. */
  readonly exit: Promise<Exit>
  /** `true` until the process has ended. */
  isRunning(): boolean
  /** Sends a signal; no error when the process has already ended. */
  signal(signal: NodeJS.Signals): void
  /** Asks by SIGTERM, and takes by SIGKILL after the grace period. */
  stop(graceMs: number): Promise<Exit>
}

/**
 * Starts a process that dies with this one: by the exit handlers below, and where this one is itself killed by SIGKILL,
 * by the kernel (`setpriv --pdeathsig`, where there is one; it executes in place, so the pid stays the process's own).
 */
export function spawnOwned(command: readonly string[], options: SpawnOptions): OwnedProcess {
  const [file, ...args] = [...parentDeathSignal(), ...command]
  const child = spawn(file!, args, options)
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve({ code, signal }))
  }).finally(() => owned.delete(child))
  exit.catch(() => {})
  if (child.pid === undefined) throw new Error(`Could not start ${command[0]}: is it installed? Run bin/setup test`)
  // Only now: to kill a child that has no pid is to kill our own process group.
  owned.add(child)
  installExitHandlers()

  const isRunning = () => child.exitCode === null && child.signalCode === null
  const signal = (name: NodeJS.Signals) => {
    if (isRunning()) child.kill(name)
  }
  const stop = async (graceMs: number) => {
    signal('SIGTERM')
    const timer = setTimeout(() => signal('SIGKILL'), graceMs)
    try {
      return await exit
    } finally {
      clearTimeout(timer)
    }
  }
  return { child, pid: child.pid, exit, isRunning, signal, stop }
}

/** A folder to be removed at the latest when this process ends. */
export function ownFolder(path: string): { remove(): void } {
  folders.add(path)
  installExitHandlers()
  return {
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 })
      folders.delete(path)
    }
  }
}

const owned = new Set<ChildProcess>()
const folders = new Set<string>()

let prefix: readonly string[] | undefined

function parentDeathSignal(): readonly string[] {
  prefix ??=
    spawnSync('setpriv', ['--pdeathsig', 'SIGKILL', 'true']).status === 0 ? ['setpriv', '--pdeathsig', 'SIGKILL'] : []
  return prefix
}

let installed = false

function installExitHandlers(): void {
  if (installed) return
  installed = true
  process.once('exit', endEverything)
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1]
  ] as const) {
    process.once(signal, () => process.exit(128 + number))
  }
}

function endEverything(): void {
  for (const child of owned) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
