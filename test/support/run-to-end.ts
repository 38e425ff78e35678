import type { SpawnOptions } from 'node:child_process'
import { spawnOwned } from './owned-process.ts'

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end and gives what it printed; anything but exit code 0 is an error with the output in it. */
export async function runToEnd(command: readonly string[], options: SpawnOptions = {}): Promise<RunResult> {
  const result = await runAndCollect(command, options)
  if (result.code === 0) return result
  throw new Error(
    `${describe(command)} ended with ${result.code}:\n${result.stdout.slice(-4_000)}${result.stderr.slice(-4_000)}`
  )
}

/** Runs a command to its end and gives what it printed, whatever its exit code. */
export async function runAndCollect(command: readonly string[], options: SpawnOptions = {}): Promise<RunResult> {
  const { child, exit } = spawnOwned(command, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, { code }] = await Promise.all([textOf(child.stdout!), textOf(child.stderr!), exit])
  return { code, stdout, stderr }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  stream.setEncoding('utf8')
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

function describe(command: readonly string[]): string {
  const text = command.join(' ')
  return text.length > 300 ? `${text.slice(0, 60)} … ${text.slice(-220)}` : text
}
