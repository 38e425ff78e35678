import type { ClockReading } from '../cluster/cluster-questions.ts'

/** How far another clock is from ours: surely at least `minMs` and at most `maxMs`, positive where it is ahead. */
export interface ClockOffset {
  readonly minMs: number
  readonly maxMs: number
}

/** It was read at some moment between question and answer. */
export function clockOffset({ theirsMs, askedAtMs, answeredAtMs }: ClockReading): ClockOffset {
  return { minMs: theirsMs - answeredAtMs, maxMs: theirsMs - askedAtMs }
}

/** The least difference that it can be; 0 where the clocks may agree. */
export function certainDifferenceMs({ minMs, maxMs }: ClockOffset): number {
  if (minMs > 0) return minMs
  return maxMs < 0 ? maxMs : 0
}
