import { partitionKey, type TopicPartition } from '../cluster/offsets.ts'
import type { OutsidePartition } from './group-look.ts'
import { type OutsideLag, outsideLag } from './outside-lag.ts'

/** Something was missing when a look found that the source ends here. All times are of our monotonic clock. */
interface Mark {
  readonly sourceEndOffset: number
  readonly seenAtMs: number
  /** Nobody has seen a record that is missing now before this; `undefined`: nobody looked before. */
  readonly sinceMs: number | undefined
}

/** A word of a partition's owner. */
interface Word {
  /** By the owner's clock, milliseconds of the epoch: no more to us than the name of this word. */
  readonly seenAtMs: number
  /** When we heard it first, by our monotonic clock. */
  readonly heardAtMs: number
}

/** The lag of the partitions of other workers, with what is remembered from one look to the next. */
export class OutsideLags {
  #lags = new Map<string, OutsideLag>()
  #marks = new Map<string, Mark>()
  #words = new Map<string, Word>()
  #lookedAtMs: number | undefined

  /**
   * @param atMs by the monotonic clock
   * @param wallAtMs the same in milliseconds of the epoch
   */
  look(partitions: readonly OutsidePartition[], atMs: number, wallAtMs: number): void {
    const [lags, marks, words] = [new Map<string, OutsideLag>(), new Map<string, Mark>(), new Map<string, Word>()]
    for (const partition of partitions) {
      const key = partitionKey(partition)
      const { judgement, told } = partition
      const mark = this.#markOf(key, partition, atMs)
      if (mark !== undefined) marks.set(key, mark)
      const word = this.#wordOf(key, partition, atMs, wallAtMs)
      if (word !== undefined) words.set(key, word)
      const { nextSourceOffset, sourceEndOffset, lagRecords } = judgement
      const toldAgeMs = word === undefined ? 0 : atMs - word.heardAtMs
      const behindMs = mark?.sinceMs === undefined ? undefined : atMs - mark.sinceMs
      lags.set(key, outsideLag({ nextSourceOffset, sourceEndOffset, lagRecords, told, toldAgeMs, behindMs }))
    }
    this.#lags = lags
    this.#marks = marks
    this.#words = words
    this.#lookedAtMs = atMs
  }

  /** As of the last look, for one that was looked at. */
  of(partition: TopicPartition): OutsideLag {
    return this.#lags.get(partitionKey(partition))!
  }

  /**
   * Of a busy partition something is missing at every look, though never the same for long. Once all is copied that the source held at the
   * mark, whatever is missing has come after the mark.
   */
  #markOf(key: string, { judgement }: OutsidePartition, atMs: number): Mark | undefined {
    const { lagRecords, nextSourceOffset, sourceEndOffset } = judgement
    if (sourceEndOffset === null || lagRecords === null || lagRecords === 0) return undefined
    const before = this.#marks.get(key)
    if (before === undefined) return { sourceEndOffset, seenAtMs: atMs, sinceMs: this.#lookedAtMs }
    if (nextSourceOffset === null || nextSourceOffset < before.sourceEndOffset) {
      return { ...before, sinceMs: before.sinceMs ?? before.seenAtMs }
    }
    return { sourceEndOffset, seenAtMs: atMs, sinceMs: before.seenAtMs }
  }

  /** The owner's clock is asked only about what was said before we first looked: from then on we know when we heard something new. */
  #wordOf(key: string, { told }: OutsidePartition, atMs: number, wallAtMs: number): Word | undefined {
    if (told === undefined) return undefined
    const { seenAtMs } = told
    const before = this.#words.get(key)
    if (before?.seenAtMs === seenAtMs) return before
    return { seenAtMs, heardAtMs: before === undefined ? atMs - Math.max(wallAtMs - seenAtMs, 0) : atMs }
  }
}
