import { patternProblem, splitPatterns } from '../config/name-filter.ts'
import { UsageError } from './usage-error.ts'

/** What an option says whose patterns narrow down what is configured. @throws UsageError for what is no pattern */
export function readPatterns(text: string | undefined, option = '--topics'): string[] | undefined {
  if (text === undefined) return undefined
  const patterns = splitPatterns(text)
  if (patterns.length === 0) throw new UsageError(`${option} needs at least one pattern`)
  for (const pattern of patterns) {
    const problem = patternProblem(pattern)
    if (problem !== undefined) throw new UsageError(`${option} ${pattern}: ${problem}`)
  }
  return patterns
}
