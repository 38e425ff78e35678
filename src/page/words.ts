/** Amounts and times as the page says them. */
import { counted } from '../terminal/amounts.ts'
import { inWords } from './browser/words.js'

// The charts say it in a browser: one piece of code for both.
export { inWords }

/** `–` where it is not known. */
export function orDash(amount: number | null, words: (amount: number) => string): string {
  return amount === null ? '–' : words(amount)
}

/** `1.2 MiB`. */
export function inBytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, count)) / 10)))
  return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** What would be lost if the source were lost now; `null` while it is unknown of any partition. */
export interface Exposure {
  readonly records: number | null
  readonly seconds: number | null
}

/** What is known of it where not all is: at least so much. */
export interface KnownPart {
  readonly records: number
  readonly seconds: number
  /** Partitions whose lag in records is not known. */
  readonly unknownPartitions: number
  /** The other workers' partitions were seen too. */
  readonly isWholeGroup: boolean
}

/** `If east were lost now: 312 records, 0.4 s.` */
export function exposureInWords(source: string, partitions: number, exposure: Exposure, known: KnownPart): string {
  const ifLost = `If ${source} were lost now`
  const { records, seconds } = exposure
  const { unknownPartitions, isWholeGroup } = known
  if (partitions === 0 && isWholeGroup) return `${ifLost}: nothing is mirrored yet.`
  if (records === null) {
    if (unknownPartitions === partitions || (unknownPartitions === 0 && isWholeGroup)) return `${ifLost}: not known.`
    const part = `${counted(known.records, 'record')}, ${inWords(known.seconds)}`
    const notKnown = [
      ...(unknownPartitions > 0 ? [counted(unknownPartitions, 'partition')] : []),
      ...(isWholeGroup ? [] : ['what other workers mirror'])
    ]
    return `${ifLost}: at least ${part}; not known of ${notKnown.join(', and of ')}.`
  }
  if (records === 0) return `${ifLost}, nothing would be lost.`
  return `${ifLost}: ${counted(records, 'record')}, ${seconds === null ? 'of an age that is not known' : inWords(seconds)}.`
}

/** `null` where nothing is to be caught up. */
export function backlogInWords(lagRecords: number | null, etaSeconds: number | null): string | null {
  if (lagRecords === 0 || etaSeconds === 0) return null
  if (etaSeconds === null) return 'When the backlog will be copied is not known yet, or it does not become less.'
  return `The backlog will be copied in about ${inWords(etaSeconds)}.`
}
