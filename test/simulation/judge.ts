/**
 * Looks at everything that can be seen from outside and says what must not be (the invariants of ARCHITECTURE.md). It reads
 * the copies with a decoder of its own.
 */
import assert from 'node:assert/strict'
import type { Progress } from '../../src/flow/messages.ts'
import { decodeBatch, type Header, type PlainRecord } from '../unit/records/support/records.ts'
import type { DestinationLog, LoggedBatch } from './destination-log.ts'
import { batchInProduceRequest, stampOf } from './requests.ts'
import type { SourceLog } from './source-log.ts'
import { Violation } from './violation.ts'

export interface JudgeOptions {
  readonly source: SourceLog
  readonly destination: DestinationLog
  readonly delivery: 'exactly-once' | 'at-least-once'
  /** How far behind the copy has to be. */
  readonly delayMs: number
  wallClockMs(): number
  /** `<alias>/<topic>/<partition>/` */
  readonly originPrefix: string
}

interface Copy {
  readonly destinationOffset: number
  /** Which of the committed source records it is. */
  readonly index: number
}

const ORIGIN_HEADER = 'farlog.origin'
const BATCHES_IN_FLIGHT_MAX = 5

export class Judge {
  readonly #options: JudgeOptions
  /** In the order of the destination's log, also those that replicas have not got yet. */
  #copies: Copy[] = []
  #isClosed = false
  /** Sequence numbers of the batches that a producer has unanswered. */
  readonly #unanswered = new Map<string, Set<number>>()

  constructor(options: JudgeOptions) {
    this.#options = options
  }

  /** Whether every committed source record stands on all replicas of the destination. */
  get isComplete(): boolean {
    return this.#lastedRecords === this.#options.source.committed.length
  }

  /** From now on nobody writes. */
  close(): void {
    this.#isClosed = true
  }

  /** Who reads of it now may write. */
  open(): void {
    this.#isClosed = false
  }

  /** A batch was appended: its records are the next ones of the source, as they were, and nothing else. */
  appended({ baseOffset, bytes }: LoggedBatch): void {
    if (this.#isClosed) throw new Violation(`destination offset ${baseOffset} is written though the flow is stopped`)
    const { records } = decodeBatch(bytes, (codec, compressed) => {
      assert.equal(codec, 0)
      return compressed
    })
    records.forEach((record, i) => {
      this.#appendedRecord(record, baseOffset + i)
    })
  }

  /** What stood from there on is gone, before anybody was told that it was there. */
  truncated(endOffset: number): void {
    while (this.#copies.length > 0 && this.#copies.at(-1)!.destinationOffset >= endOffset) this.#copies.pop()
  }

  /** Progress speaks only of what stands on all replicas, and of all that stands up to where it says. */
  progressed(who: string, { nextSourceOffset, destinationOffset }: Progress): void {
    const { source, delivery } = this.#options
    const missing = source.committed[this.#lastedRecords]
    if (missing !== undefined && nextSourceOffset > missing.offset) {
      throw new Violation(
        `${who}: progress is ${nextSourceOffset}, but the record at source offset ${missing.offset} is not acknowledged`
      )
    }
    if (nextSourceOffset > source.lastStableOffset) {
      throw new Violation(`${who}: progress is ${nextSourceOffset}, past the last stable offset`)
    }
    // Who resumes from it reads nothing up to there. (Without a fence an owner's copies may stand among a zombie's.)
    if (destinationOffset === undefined || delivery === 'at-least-once') return
    const newer = this.#copies.find(
      copy => copy.destinationOffset <= destinationOffset && this.#sourceOffset(copy) >= nextSourceOffset
    )
    if (newer === undefined) return
    throw new Violation(
      `${who}: progress is ${nextSourceOffset} at destination offset ${destinationOffset}, but the copy of ` +
        `${this.#sourceOffset(newer)} stands before it`
    )
  }

  /**
   * Batches leave in order, and none again while a later one is unanswered. Does not throw, as it is called in the midst of
   * what it looks at.
   * @returns what is wrong
   */
  produceSent(who: string, body: Buffer): Violation | undefined {
    const { producerId, producerEpoch, firstSequence } = stampOf(batchInProduceRequest(body))
    const producer = `${who}/${producerId}/${producerEpoch}`
    const unanswered = this.#unanswered.get(producer) ?? new Set()
    for (const later of unanswered) {
      if (later >= firstSequence) {
        return new Violation(`${who} sends sequence ${firstSequence} while ${later} is unanswered`)
      }
    }
    unanswered.add(firstSequence)
    this.#unanswered.set(producer, unanswered)
    if (unanswered.size <= BATCHES_IN_FLIGHT_MAX) return undefined
    return new Violation(`${who} has ${unanswered.size} batches in flight`)
  }

  produceSettled(who: string, body: Buffer): void {
    const { producerId, producerEpoch, firstSequence } = stampOf(batchInProduceRequest(body))
    this.#unanswered.get(`${who}/${producerId}/${producerEpoch}`)?.delete(firstSequence)
  }

  #appendedRecord(record: PlainRecord, destinationOffset: number): void {
    const { source, delivery } = this.#options
    const nextIndex = this.#highestIndex(this.#copies.length) + 1
    const sourceOffset = this.#originOf(record, destinationOffset)
    const index = source.committed.findLastIndex(({ offset }) => offset === sourceOffset)
    if (index < 0) throw new Violation(`source offset ${sourceOffset} is copied, but is no committed record`)
    if (index > nextIndex) {
      const missing = source.committed[nextIndex]!.offset
      throw new Violation(`source offset ${sourceOffset} is copied before ${missing}: a hole`)
    }
    if (index < nextIndex && delivery === 'exactly-once') {
      throw new Violation(
        `source offset ${sourceOffset} is copied twice, now to destination offset ${destinationOffset}`
      )
    }
    this.#assertEqual(record, source.committed[index]!)
    this.#assertDue(source.committed[index]!)
    this.#copies.push({ destinationOffset, index })
  }

  #originOf({ headers }: PlainRecord, destinationOffset: number): number {
    const origin = headers.at(-1)
    const value = origin?.value?.toString() ?? ''
    if (origin?.key !== ORIGIN_HEADER || !value.startsWith(this.#options.originPrefix)) {
      throw new Violation(`the record at destination offset ${destinationOffset} has no origin`)
    }
    return Number(value.slice(this.#options.originPrefix.length))
  }

  #assertEqual(copy: PlainRecord, record: PlainRecord): void {
    const headers = copy.headers.slice(0, -1)
    const isEqual =
      copy.timestamp === record.timestamp &&
      isSame(copy.key, record.key) &&
      isSame(copy.value, record.value) &&
      headers.length === record.headers.length &&
      headers.every((header, i) => isSameHeader(header, record.headers[i]!))
    if (!isEqual) throw new Violation(`the copy of source offset ${record.offset} is not what it was`)
  }

  /** Its timestamp is when it was appended, or lies before that. */
  #assertDue({ offset, timestamp }: PlainRecord): void {
    const { delayMs, wallClockMs } = this.#options
    const ageMs = wallClockMs() - Number(timestamp)
    if (ageMs < delayMs) throw new Violation(`source offset ${offset} is copied after ${ageMs} ms, before it is due`)
  }

  /** How many committed source records stand on all replicas. */
  get #lastedRecords(): number {
    const { replicatedOffset } = this.#options.destination
    let lasting = this.#copies.length
    while (lasting > 0 && this.#copies[lasting - 1]!.destinationOffset >= replicatedOffset) lasting--
    return this.#highestIndex(lasting) + 1
  }

  /** The furthest record among the first copies; with exactly-once that is the last of them. */
  #highestIndex(copies: number): number {
    let highest = -1
    const first = this.#options.delivery === 'exactly-once' ? Math.max(copies - 1, 0) : 0
    for (let i = first; i < copies; i++) highest = Math.max(highest, this.#copies[i]!.index)
    return highest
  }

  #sourceOffset({ index }: Copy): number {
    return this.#options.source.committed[index]!.offset
  }
}

function isSame(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b)
}

function isSameHeader(a: Header, b: Header): boolean {
  return a.key === b.key && isSame(a.value, b.value)
}
