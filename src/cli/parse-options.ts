import { parseArgs } from 'node:util'
import { nearestName } from '../config/nearest.ts'
import type { Command } from './command.ts'
import { UsageError } from './usage-error.ts'

/** What was given, by option; and the operand, empty where the command has none. */
export interface ParsedOptions {
  readonly values: Readonly<Record<string, string | boolean | undefined>>
  readonly operand: string
}

/** @throws UsageError, or `parseArgs`'s own errors, which say as much */
export function parseOptions(
  { options, operand }: Pick<Command, 'options' | 'operand'>,
  args: readonly string[]
): ParsedOptions {
  refuseUnknown(Object.keys(options), args)
  const { values, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(options).map(([name, { type }]) => [name, { type }])),
    allowPositionals: operand !== undefined
  })
  const given = Object.entries(options).map(([name, option]) => [
    name,
    values[name] ?? (option.type === 'boolean' ? false : option.default)
  ])
  return { values: Object.fromEntries(given), operand: operand === undefined ? '' : readOperand(operand, positionals) }
}

/** Before anything else: a mistyped option takes what follows it for an operand. */
function refuseUnknown(known: readonly string[], args: readonly string[]): void {
  const { tokens } = parseArgs({ args: [...args], options: {}, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'option-terminator') return
    if (token.kind !== 'option' || (token.rawName.startsWith('--') && known.includes(token.name))) continue
    const meant = nearestName(token.rawName, [...known.map(name => `--${name}`), '--help'])
    throw new UsageError(`unknown option '${token.rawName}'${meant === undefined ? '' : `; did you mean ${meant}?`}`)
  }
}

function readOperand({ name, choices }: NonNullable<Command['operand']>, positionals: readonly string[]): string {
  const [given, ...more] = positionals
  const wanted = `${name} is one of ${choices.join(', ')}`
  if (given === undefined) throw new UsageError(wanted)
  if (more.length > 0) throw new UsageError(`unexpected '${more[0]}': ${wanted}`)
  if (choices.includes(given)) return given
  const meant = nearestName(given, choices)
  throw new UsageError(`unknown '${given}'${meant === undefined ? '' : `; did you mean ${meant}?`} ${wanted}`)
}
