import { UsageError } from './usage-error.ts'

/** What follows an option, as a number from 0 on. @param wanted what else it may be, for a person */
export function readNumber(option: string, text: string | undefined, wanted = 'a number'): number {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text)
  throw new UsageError(text === undefined ? `${option} is needed: ${wanted}` : `${option} ${text} is not ${wanted}`)
}
