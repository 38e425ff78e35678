import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { WorkerStatus } from '../../src/observe/status.ts'
import { freePorts } from './free-port.ts'
import { PROJECT_DIR } from './java.ts'
import { MetricSamples } from './metric-samples.ts'
import { type Exit, spawnOwned } from './owned-process.ts'
import { type RunResult, runAndCollect } from './run-to-end.ts'
import { GiveUp, until } from './wait.ts'

/** One line that farlog logged; pino's fields. */
export interface LogLine {
  readonly level: number | string
  readonly msg: string
  readonly [field: string]: unknown
}

/** A running `farlog run`. `await using` kills it. */
export interface FarlogProcess extends AsyncDisposable {
  readonly pid: number
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** Its last log lines, oldest first. */
  readonly logs: readonly LogLine[]
  /** Everything it printed that is no JSON, its last lines: stack traces, mostly. */
  readonly otherOutput: readonly string[]
  /** Settles when the process has ended; never rejects. */
  readonly exit: Promise<Exit>
  /** Resolves when `/readyz` answers 200; ends the process where it does not within the time. */
  waitReady(timeoutMs?: number): Promise<void>
  /** The body of `/api/status`. */
  status(): Promise<WorkerStatus>
  /** What `/metrics` says now. */
  metrics(): Promise<MetricSamples>
  /** Sends a signal. `SIGSTOP` and `SIGCONT` pause and wake it. */
  kill(signal: NodeJS.Signals): void
}

export interface StartOptions {
  readonly cwd?: string
  /** A command that runs the one given to it, with something changed. */
  readonly prefix?: readonly string[]
}

/** Starts the worker with exactly these variables (and `PATH`), and a free HTTP port where none is given. */
export async function startFarlog(
  env: Readonly<Record<string, string>>,
  { cwd, prefix = [] }: StartOptions = {}
): Promise<FarlogProcess> {
  const port = env.FARLOG_HTTP_PORT ?? String((await freePorts(1))[0])
  const worker = spawnOwned([...prefix, FARLOG, 'run'], {
    env: environment({ FARLOG_HTTP_HOST: '127.0.0.1', ...env, FARLOG_HTTP_PORT: port }),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd })
  })
  const logs: LogLine[] = []
  const otherOutput: string[] = []
  for (const stream of [worker.child.stdout!, worker.child.stderr!]) {
    createInterface(stream).on('line', line => {
      const parsed = parseLogLine(line)
      if (parsed) push(logs, parsed)
      else push(otherOutput, line)
    })
  }
  const url = `http://127.0.0.1:${port}`
  const get = async (path: string) => {
    const response = await fetch(url + path, { signal: AbortSignal.timeout(10_000) })
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return response
  }
  return {
    pid: worker.pid,
    url,
    logs,
    otherOutput,
    exit: worker.exit,
    async waitReady(timeoutMs = 30_000) {
      const ready = async () => {
        if (!worker.isRunning()) throw new GiveUp(`farlog ended before it was ready:\n${tail(logs, otherOutput)}`)
        await get('/readyz')
        return true
      }
      await until(ready, { timeoutMs, describe: 'farlog to be ready' }).catch((error: Error) => {
        // Whoever waits in vain often has not yet noted that there is something to end.
        worker.signal('SIGKILL')
        throw error instanceof GiveUp ? error : new Error(`${error.message}\n${tail(logs, otherOutput)}`)
      })
    },
    status: async () => (await get('/api/status')).json() as Promise<WorkerStatus>,
    metrics: async () => new MetricSamples(await (await get('/metrics')).text()),
    kill: worker.signal,
    async [Symbol.asyncDispose]() {
      worker.signal('SIGKILL')
      await worker.exit
    }
  }
}

/** Runs one command of farlog to its end with exactly these variables (and `PATH`). */
export function runFarlog(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  return runAndCollect([FARLOG, ...args], { env: environment(env) })
}

const FARLOG = join(PROJECT_DIR, 'bin/farlog')
const KEPT_LINES = 10_000

function environment(env: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', ...env }
}

function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

function push<T>(lines: T[], line: T): void {
  lines.push(line)
  if (lines.length > KEPT_LINES) lines.shift()
}

function tail(logs: readonly LogLine[], otherOutput: readonly string[]): string {
  return [...logs.slice(-20).map(line => JSON.stringify(line)), ...otherOutput.slice(-20)].join('\n')
}
