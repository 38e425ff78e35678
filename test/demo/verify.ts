import { join } from 'node:path'
import type { FlowReport, Verdict } from '../../src/verify/flow-report.ts'
import { PROJECT_DIR } from '../support/java.ts'
import { spawnOwned } from '../support/owned-process.ts'

/** What `farlog verify --json` said, and how it ended. */
export interface Verification {
  readonly verdict: Verdict
  readonly exitCode: number | null
  readonly flow: FlowReport
}

/** Runs `farlog verify` with these arguments; its progress goes where ours goes. */
export async function runVerify(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Verification> {
  const { child, exit } = spawnOwned([join(PROJECT_DIR, 'bin/farlog'), 'verify', '--json', ...args], {
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [text, { code }] = await Promise.all([Array.fromAsync<Buffer>(child.stdout!), exit])
  const json = Buffer.concat(text).toString()
  // Where it could not even begin, it has said why on standard error.
  if (json === '') throw new Error(`farlog verify ended with ${code} and without a report`)
  const { verdict, flows } = JSON.parse(json) as { verdict: Verdict; flows: FlowReport[] }
  return { verdict, exitCode: code, flow: flows[0]! }
}
