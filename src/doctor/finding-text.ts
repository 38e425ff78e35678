import { styleText } from 'node:util'
import { CHECKS, type Examination, type Finding, type Level } from './finding.ts'

const STYLES: Record<Level, Parameters<typeof styleText>[0]> = {
  problem: 'red',
  warning: 'yellow',
  skipped: 'dim',
  ok: 'green'
}

const LEVEL_WIDTH = 'problem'.length
const CHECK_WIDTH = Math.max(...CHECKS.map(({ length }) => length))

/** A finding in a line: how bad, of what, about whom, what, and what to do. */
export function findingLine({ level, check, about, message, remedy }: Finding, isColoured: boolean): string {
  const padded = level.padEnd(LEVEL_WIDTH)
  const shown = isColoured ? styleText(STYLES[level], padded, { validateStream: false }) : padded
  const whom = about === null ? '' : `${about}: `
  const what = oneLine(remedy === null ? message : `${message}; ${remedy}`)
  return `${shown}  ${check.padEnd(CHECK_WIDTH)}  ${whom}${what}\n`
}

/** The sum of it, in a line. */
export function verdictLine({ counts }: Examination): string {
  const { problem, warning, skipped, ok } = counts
  const nouns = [
    `${problem} ${problem === 1 ? 'problem' : 'problems'}`,
    `${warning} ${warning === 1 ? 'warning' : 'warnings'}`
  ]
  return `${nouns.join(', ')}, ${ok} ok${skipped === 0 ? '' : `, ${skipped} not found out`}\n`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}
