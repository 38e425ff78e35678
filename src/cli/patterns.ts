import { patternProblem, splitPatterns } from '../config/name-filter.ts'
import { UsageError } from './command.ts'

/** What `--topics` says: patterns that narrow the configured topics down. @throws UsageError for what is no pattern */
export function readPatterns(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const patterns = splitPatterns(text)
  if (patterns.length === 0) throw new UsageError('--topics needs at least one pattern')
  for (const pattern of patterns) {
    const problem = patternProblem(pattern)
    if (problem !== undefined) throw new UsageError(`--topics ${pattern}: ${problem}`)
  }
  return patterns
}
