import { type DurationBounds, duration, FormatError } from '../config/format.ts'
import { UsageError } from './usage-error.ts'

/** What follows an option, as milliseconds. @throws UsageError where it is no duration within the bounds */
export function readDuration(option: string, text: string, bounds: DurationBounds): number {
  try {
    return duration(bounds).parse(text)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new UsageError(`${option}: ${error.message}; ${error.remedy}`)
  }
}
