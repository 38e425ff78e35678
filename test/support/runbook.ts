import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_DIR } from './java.ts'

/** A command of the runbook, as a shell would take it: variables in front, then `farlog` and its arguments. */
export interface RunbookCommand {
  readonly env: Readonly<Record<string, string>>
  readonly args: readonly string[]
}

/** A numbered step of one of the runbook's sections. */
export interface RunbookStep {
  readonly section: string
  readonly number: number
  readonly title: string
  readonly commands: readonly RunbookCommand[]
}

/** The steps of `docs/runbook.md`, so that what is tested is what stands there. */
export function readRunbook(): RunbookStep[] {
  const steps: RunbookStep[] = []
  let section = ''
  let commands: RunbookCommand[] = []
  let isCode = false
  for (const line of readFileSync(join(PROJECT_DIR, 'docs/runbook.md'), 'utf8').split('\n')) {
    if (line.startsWith('```')) isCode = line === '```sh'
    else if (isCode) commands.push(commandOf(line))
    else if (line.startsWith('## ')) section = line.slice('## '.length)
    const [, number, title] = /^### (\d+)\. (.*)$/.exec(line) ?? []
    if (number === undefined) continue
    commands = []
    steps.push({ section, number: Number(number), title: title!, commands })
  }
  return steps
}

/** Plain words only: nothing that takes a shell to understand. */
function commandOf(line: string): RunbookCommand {
  if (!/^[\w=.\- ]+$/.test(line)) throw new Error(`The runbook has a command that is more than words: ${line}`)
  const words = line.split(' ')
  const at = words.indexOf('farlog')
  if (at < 0) throw new Error(`The runbook has a command of something else than farlog: ${line}`)
  const env = Object.fromEntries(words.slice(0, at).map(word => word.split('=') as [string, string]))
  return { env, args: words.slice(at + 1) }
}
