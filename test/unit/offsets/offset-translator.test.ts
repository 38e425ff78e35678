import assert from 'node:assert/strict'
import fc from 'fast-check'
import { OffsetTranslator, type Translation } from '../../../src/offsets/offset-translator.ts'
import { ProvenanceReader } from '../../../src/rewrite/provenance.ts'
import { DESTINATION, FakeDestination } from '../destination/support/fake-destination.ts'
import { COMPRESSORS } from '../records/support/plain-codecs.ts'
import { CopiedLog, type KnownCopy } from './support/copied-log.ts'

const SIGNAL = new AbortController().signal
const COPIED = { topic: 'orders', partition: DESTINATION.partition, destinationTopic: DESTINATION.topic }

/** What happens to the log between two questions. */
type Step =
  /** `skipped`: source offsets in front that no copy is made of: markers, aborted records, what compaction took there. */
  | {
      readonly kind: 'copy'
      readonly records: number
      readonly skipped: number
      readonly compressor: number
      readonly holes: boolean
    }
  | { readonly kind: 'foreign'; readonly records: number }
  | { readonly kind: 'marker' }
  | { readonly kind: 'hole'; readonly offsets: number; readonly isBatchKept: boolean }
  /** Retention takes a part of the log. */
  | { readonly kind: 'retention'; readonly part: number }
  /** The source topic is made anew and mirrored on. */
  | { readonly kind: 'made anew'; readonly sourceOffset: number }
  /** Where, as a part of what source offsets there are and a little beyond. */
  | { readonly kind: 'translate'; readonly part: number }

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      records: fc.integer({ min: 1, max: 60 }),
      skipped: fc.oneof(fc.constant(0), fc.nat({ max: 5 }), fc.nat({ max: 2_000 })),
      compressor: fc.nat({ max: COMPRESSORS.length - 1 }),
      holes: fc.boolean()
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('foreign' as const), records: fc.integer({ min: 1, max: 60 }) })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('marker' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hole' as const),
      offsets: fc.integer({ min: 1, max: 900 }),
      isBatchKept: fc.boolean()
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('retention' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('made anew' as const), sourceOffset: fc.nat({ max: 50 }) })
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('translate' as const),
      part: fc.double({ min: 0, max: 1.05, noNaN: true })
    })
  }
)

describe('translating an offset', function () {
  // Thousands of histories, on a machine that may be busy.
  this.timeout(60_000)

  it('finds what a full read of the log finds, whatever is in it and happens to it between questions', async () => {
    const worlds = fc.record({
      firstOffset: fc.constantFrom(0, 7, 2 ** 40),
      answerBytes: fc.constantFrom(1, 700, 1_000_000),
      isFenced: fc.boolean(),
      steps: fc.array(steps, { maxLength: 60, size: 'max' })
    })
    await fc.assert(
      fc.asyncProperty(worlds, async ({ firstOffset, answerBytes, isFenced, steps }) => {
        const world = new World(firstOffset, answerBytes, isFenced)
        for (const step of steps) await world.do(step)
        assert.equal(world.destination.held, 0, 'all memory is given back')
      }),
      { numRuns: 300 }
    )
  })

  it('never makes a reader miss a record where copies are repeated, late, or written by two at a time', async () => {
    /** An owner goes on from the end, or somewhat before it; requests of owners before it come in between. */
    const owner = fc.record({
      isFenced: fc.constantFrom(false, false, true),
      back: fc.oneof(fc.constant(0), fc.nat({ max: 40 })),
      batches: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 }),
      /** Where batches of the owner before land between ours. */
      late: fc.array(fc.record({ at: fc.nat({ max: 12 }), records: fc.integer({ min: 1, max: 30 }) }), { maxLength: 5 })
    })
    await fc.assert(
      fc.asyncProperty(fc.array(owner, { minLength: 1, maxLength: 8 }), async owners => {
        const log = new CopiedLog()
        let nextSourceOffset = 0
        let lateSourceOffset = 0
        for (const { isFenced, back, batches, late } of owners) {
          // A fence lets nothing of earlier owners in; its owner goes on behind the newest copy or where progress is.
          const newest = log.copies.at(-1)?.sourceOffset ?? -1
          let source = Math.max(nextSourceOffset - back, 0, isFenced ? newest + 1 : 0)
          for (const [index, records] of batches.entries()) {
            log.copy(numbers(source, records), { isFenced })
            source += records
            for (const { records: lateRecords } of isFenced ? [] : late.filter(({ at }) => at === index)) {
              log.copy(numbers(lateSourceOffset, lateRecords), { isFenced: false })
              lateSourceOffset += lateRecords
            }
          }
          lateSourceOffset = nextSourceOffset
          nextSourceOffset = Math.max(nextSourceOffset, source)
        }
        const destination = new FakeDestination(log.batches, 0, log.nextOffset, 2_000)
        for (const isRemembered of [false, true]) {
          let translator = translatorOf(destination)
          for (let sourceOffset = 0; sourceOffset <= nextSourceOffset; sourceOffset += 7) {
            if (!isRemembered) translator = translatorOf(destination)
            assertMissesNothing(log, sourceOffset, await translator.translate(COPIED, sourceOffset, SIGNAL))
          }
        }
      }),
      { numRuns: 60 }
    )
  })

  it('does not take what a paused owner writes when it wakes up for the place', async () => {
    const log = new CopiedLog()
    log.copy(numbers(0, 60), { isFenced: false })
    // Its successor has copied much more when it sends what it had in memory.
    for (let at = 60; at < 6_000; at += 60) log.copy(numbers(at, 60), { isFenced: false })
    log.copy(numbers(60, 60), { isFenced: false })
    log.copy(numbers(6_000, 30), { isFenced: false })
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    for (const sourceOffset of [59, 60, 61, 100, 119, 120, 121, 3_000, 5_999, 6_000, 6_001]) {
      const found = await translatorOf(destination).translate(COPIED, sourceOffset, SIGNAL)
      assert.deepEqual(found, asTranslation(log.firstFrom(sourceOffset, 0)!), `of ${sourceOffset}`)
    }
  })

  it('does not count on from one known pair of offsets to the next, though as many lie between on both sides', async () => {
    const log = new CopiedLog()
    // One source offset is missing (compacted), and one destination offset (a marker): 10 on both sides.
    log.copy([0, 1, 2])
    log.copy([4, 5])
    log.marker()
    log.copy([6, 7, 8, 9, 10])
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    const translator = translatorOf(destination)
    const answers: Translation[] = []
    for (const sourceOffset of [0, 10, 3, 4, 5, 6])
      answers.push(await translator.translate(COPIED, sourceOffset, SIGNAL))
    assert.deepEqual(
      answers.map(answer => answer.destinationOffset),
      [0, 10, 3, 3, 4, 6]
    )
  })

  it('needs about as many fetches as a number has binary digits, and one for a reader that moves near the end', async () => {
    const log = grown(40_000)
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    const searching = new FetchCount(destination)
    const searchFetchesMax = Math.ceil(Math.log2(log.nextOffset)) + 2
    for (let sourceOffset = 0; sourceOffset < 40_000; sourceOffset += 613) {
      const found = await translatorOf(destination).translate(COPIED, sourceOffset, SIGNAL)
      assert.deepEqual(found, asTranslation(log.firstFrom(sourceOffset, 0)!))
      assert.ok(searching.take() <= searchFetchesMax, `of ${sourceOffset}`)
    }

    const translator = translatorOf(destination)
    const moving = new FetchCount(destination)
    const nearEnd = log.copies.at(-1)!.sourceOffset - 2_000
    await translator.translate(COPIED, nearEnd, SIGNAL)
    assert.ok(moving.take() <= 3)
    for (let sourceOffset = nearEnd; sourceOffset < nearEnd + 2_000; sourceOffset += 37) {
      const found = await translator.translate(COPIED, sourceOffset, SIGNAL)
      assert.deepEqual(found, asTranslation(log.firstFrom(sourceOffset, 0)!))
      assert.ok(moving.take() <= 1, `of ${sourceOffset}`)
    }
  })

  it('fetches nothing for what was read, until the log is another one', async () => {
    const log = grown(2_000)
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    const translator = translatorOf(destination)
    const end = log.copies.at(-1)!
    const asked = [900, end.sourceOffset + 1]
    const ask = async () => {
      const before = destination.fetches
      for (const sourceOffset of asked) await translator.translate(COPIED, sourceOffset, SIGNAL)
      return destination.fetches - before
    }
    assert.ok((await ask()) > 0)
    assert.equal(await ask(), 0)
    // What was the end is so no longer.
    log.copy(numbers(end.sourceOffset + 1, 1))
    destination.becomes(log.batches, 0, log.nextOffset)
    assert.deepEqual(
      await translator.translate(COPIED, end.sourceOffset + 1, SIGNAL),
      asTranslation(log.copies.at(-1)!)
    )
    assert.equal(await ask(), 0)
    destination.topicId = 'ffeeddccbbaa99887766554433221100'
    assert.ok((await ask()) > 0)
    // Retention has taken the place and what was behind it.
    const logStart = log.firstFrom(1_000, 0)!.destinationOffset
    destination.becomes(log.batches, logStart, log.nextOffset)
    assert.deepEqual(await translator.translate(COPIED, 900, SIGNAL), asTranslation(log.firstFrom(0, logStart)!))
  })

  it('does not remember without bounds', async () => {
    // Each copy is a run of its own.
    const log = new CopiedLog()
    for (let batch = 0; batch < 400; batch++) log.copy(numbers(batch * 40, 20).map(n => n * 2))
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    const translator = translatorOf(destination)
    const newest = log.copies.at(-1)!.sourceOffset
    // All of it has been read once, bit by bit, from the end to the start; the end has been forgotten, or else the start.
    for (let at = newest; at > 0; at -= 100) await translator.translate(COPIED, at, SIGNAL)
    const before = destination.fetches
    for (let at = newest; at > 0; at -= 100) {
      assert.deepEqual(await translator.translate(COPIED, at, SIGNAL), asTranslation(log.firstFrom(at, 0)!))
    }
    assert.ok(destination.fetches > before)
  })

  it('takes a start that was written down for another log for what it is', async () => {
    // At destination offset 100 somebody once had source offsets begin anew; the topic has been made anew since.
    const log = new CopiedLog()
    for (let at = 5_000; at < 5_400; at += 20) log.copy(numbers(at, 20))
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    for (const firstDestinationOffset of [100, 1_000]) {
      const copied = { ...COPIED, firstDestinationOffset }
      for (const sourceOffset of [0, 5_000, 5_050, 5_099, 5_100, 5_399, 5_400]) {
        const found = await translatorOf(destination).translate(copied, sourceOffset, SIGNAL)
        const expected = log.firstFrom(sourceOffset, 0)
        assert.deepEqual(
          found,
          expected ? asTranslation(expected) : endBehind(log.copies.at(-1)!),
          `of ${sourceOffset}`
        )
      }
    }
  })

  it('says that the first copy stands behind records of others, among which the place may be', async () => {
    // MirrorMaker 2 has copied the first ones, and does not say from where.
    const log = new CopiedLog()
    log.marker()
    log.foreign(700)
    log.marker()
    log.copy(numbers(700, 20))
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 2_000)
    const remembering = translatorOf(destination)
    const first = log.copies[0]!
    for (const translator of [remembering, remembering, translatorOf(destination)]) {
      for (const [sourceOffset, isBehindOthers] of [
        [0, true],
        [699, true],
        // Its copy itself is there.
        [700, false],
        [701, false]
      ] as const) {
        const found = await translator.translate(COPIED, sourceOffset, SIGNAL)
        const expected = asTranslation(log.firstFrom(sourceOffset, 0)!)
        assert.deepEqual(found, { ...expected, isBehindOthers }, `of ${sourceOffset}`)
      }
    }
    // A hole behind the first copy is one.
    log.copy(numbers(730, 5))
    destination.becomes(log.batches, 0, log.nextOffset)
    assert.deepEqual(await remembering.translate(COPIED, 725, SIGNAL), asTranslation(log.copies[20]!))
    // Retention has taken them, up to the marker.
    destination.becomes(log.batches, first.destinationOffset - 1, log.nextOffset)
    assert.deepEqual(await remembering.translate(COPIED, 0, SIGNAL), asTranslation(first))
  })

  it('is the end of a partition that holds no copy yet, and says whether others have written there', async () => {
    const log = new CopiedLog(5)
    log.marker()
    const destination = new FakeDestination(log.batches, 5, log.nextOffset, 2_000)
    const end = { kind: 'end', sourceOffset: undefined } as const
    for (const [write, isBehindOthers] of [
      [() => {}, false],
      [() => log.foreign(2), true]
    ] as const) {
      write()
      destination.becomes(log.batches, 5, log.nextOffset)
      for (const sourceOffset of [0, 40]) {
        const found = await translatorOf(destination).translate(COPIED, sourceOffset, SIGNAL)
        assert.deepEqual(found, { ...end, destinationOffset: log.nextOffset, isBehindOthers })
      }
    }
  })

  it('refuses a corrupt batch instead of passing over what may be the place', async () => {
    const log = new CopiedLog()
    log.copy(numbers(0, 3))
    log.copy(numbers(3, 3))
    log.batches[0]!.bytes[70]! ^= 1
    const destination = new FakeDestination(log.batches, 0, log.nextOffset, 1_000_000)
    await assert.rejects(translatorOf(destination).translate(COPIED, 1, SIGNAL), { code: 'CORRUPT_BATCH' })
    assert.equal(destination.held, 0)
  })

  it('does not take an answer of a leader that has not caught up for an empty end', async () => {
    const log = new CopiedLog()
    log.copy(numbers(0, 3))
    const destination = new FakeDestination(log.batches, 0, 3, 1_000_000)
    destination.highWatermark = 1
    destination.becomes([], 0, 3)
    await assert.rejects(translatorOf(destination).translate(COPIED, 1, SIGNAL), {
      code: 'OFFSET_NOT_AVAILABLE',
      retriable: true
    })
  })
})

class World {
  readonly log: CopiedLog
  readonly destination: FakeDestination
  readonly #translator: OffsetTranslator
  readonly #isFenced: boolean
  #logStart: number
  #firstDestinationOffset = 0
  #nextSourceOffset = 0

  constructor(firstOffset: number, answerBytes: number, isFenced: boolean) {
    this.log = new CopiedLog(firstOffset)
    this.#logStart = firstOffset
    this.#isFenced = isFenced
    this.destination = new FakeDestination([], firstOffset, firstOffset, answerBytes)
    this.#translator = translatorOf(this.destination)
  }

  async do(step: Step): Promise<void> {
    const { log } = this
    switch (step.kind) {
      case 'copy': {
        const first = this.#nextSourceOffset + step.skipped
        this.#nextSourceOffset = first + step.records
        log.copy(numbers(first, step.records), { ...step, isFenced: this.#isFenced })
        break
      }
      case 'foreign':
        log.foreign(step.records)
        break
      case 'marker':
        log.marker()
        break
      case 'hole':
        log.hole(step.offsets, step.isBatchKept)
        break
      case 'retention':
        this.#logStart += Math.floor(step.part * (log.nextOffset - this.#logStart))
        break
      case 'made anew':
        this.#nextSourceOffset = step.sourceOffset
        this.#firstDestinationOffset = log.nextOffset
        break
      case 'translate':
        return this.#check(Math.floor(step.part * (this.#nextSourceOffset + 2)))
    }
    this.destination.becomes(log.batches, this.#logStart, log.nextOffset)
  }

  async #check(sourceOffset: number): Promise<void> {
    const copied = { ...COPIED, firstDestinationOffset: this.#firstDestinationOffset }
    for (const translator of [this.#translator, translatorOf(this.destination)]) {
      const { isBehindOthers, ...found } = await translator.translate(copied, sourceOffset, SIGNAL)
      const expected = this.#isOneOfSeveral(sourceOffset, found)
        ? { ...found, isBehindOthers }
        : this.#expected(sourceOffset)
      const seen = `source offset ${sourceOffset} of ${JSON.stringify(this.log.copies)}`
      assert.deepEqual(found, withoutOthers(expected), seen)
      // Of what it read before retention came by it knows the first and the last of them only: then it may say so wrongly.
      const mayBeWrong = translator === this.#translator && isBehindOthers && this.log.others.length > 0
      if (!mayBeWrong) this.#checkOthers(sourceOffset, expected, isBehindOthers, seen)
    }
  }

  /** Others count from the start up to the place, where no copy stands before it. */
  #checkOthers(sourceOffset: number, expected: Translation, isBehindOthers: boolean, seen: string): void {
    const { destinationOffset: place, sourceOffset: placed, kind } = expected
    const isExact = kind === 'copy' && placed === sourceOffset && this.#isFenced
    const first = this.#isStartUnseen(sourceOffset) ? this.#logStart : this.#start
    const isFirst = !isExact && !this.#hasCopyBetween(first, place)
    const isAmong = (start: number) => this.log.others.some(offset => offset >= start && offset < place)
    if (!isFirst || !isAmong(this.#logStart)) assert.equal(isBehindOthers, false, seen)
    else if (isAmong(first)) assert.equal(isBehindOthers, true, seen)
  }

  get #start(): number {
    return Math.max(this.#firstDestinationOffset, this.#logStart)
  }

  #expected(sourceOffset: number): Translation {
    if (this.#isStartUnseen(sourceOffset)) return this.#withoutStart(sourceOffset)
    const exact = this.log.firstFrom(sourceOffset, this.#start)
    return exact ? asTranslation(exact) : this.#end(this.log.newest(this.#start))
  }

  /** Where the numbers do not go back at the start, what stands before it is not told apart from what stands behind it. */
  #isStartUnseen(sourceOffset: number): boolean {
    const start = this.#start
    const exact = this.log.firstFrom(sourceOffset, start)
    const below = this.log.copies.findLast(
      ({ destinationOffset }) => destinationOffset < start && destinationOffset >= this.#logStart
    )
    const isFirst =
      exact === undefined ? !this.log.newest(start) : !this.#hasCopyBetween(start, exact.destinationOffset)
    if (!isFirst || exact?.sourceOffset === sourceOffset || below === undefined) return false
    return below.sourceOffset < (exact?.sourceOffset ?? sourceOffset)
  }

  /**
   * Before a start that is not seen the numbers may have gone back once more. Then there are several places that a search may
   * come to, and any of them will do: each has all that counts, which is what stands behind the start, still to come.
   */
  #isOneOfSeveral(sourceOffset: number, found: Omit<Translation, 'isBehindOthers'>): boolean {
    if (!this.#isStartUnseen(sourceOffset)) return false
    const counting = this.log.firstFrom(sourceOffset, this.#start)
    if (counting !== undefined && found.destinationOffset > counting.destinationOffset) return false
    const copies = this.log.copies.filter(({ destinationOffset }) => destinationOffset >= this.#logStart)
    if (found.kind === 'end') return found.destinationOffset === copies.at(-1)!.destinationOffset + 1
    const index = copies.findIndex(({ destinationOffset }) => destinationOffset === found.destinationOffset)
    const isFirst = index === 0 || copies[index - 1]!.sourceOffset < sourceOffset
    const isExact = this.#isFenced && found.sourceOffset === sourceOffset
    return copies[index]!.sourceOffset >= sourceOffset && (isFirst || isExact)
  }

  #hasCopyBetween(start: number, end: number): boolean {
    return this.log.copies.some(({ destinationOffset }) => destinationOffset >= start && destinationOffset < end)
  }

  #withoutStart(sourceOffset: number): Translation {
    const found = this.log.firstFrom(sourceOffset, this.#logStart)
    return found ? asTranslation(found) : this.#end(this.log.newest(this.#logStart))
  }

  #end(newest: KnownCopy | undefined): Translation {
    if (newest !== undefined) return endBehind(newest)
    return { destinationOffset: this.log.nextOffset, kind: 'end', sourceOffset: undefined, isBehindOthers: false }
  }
}

class FetchCount {
  readonly #destination: FakeDestination
  #before: number

  constructor(destination: FakeDestination) {
    this.#destination = destination
    this.#before = destination.fetches
  }

  /** Since the last time. */
  take(): number {
    const fetches = this.#destination.fetches - this.#before
    this.#before = this.#destination.fetches
    return fetches
  }
}

function translatorOf(destination: FakeDestination): OffsetTranslator {
  return new OffsetTranslator(destination.cluster, (topic, partition) => new ProvenanceReader('east', topic, partition))
}

/** A log with holes on both sides, some of them of the same size and near one another. */
function grown(sourceOffsets: number): CopiedLog {
  const log = new CopiedLog()
  for (let at = 0, batch = 0; at < sourceOffsets; batch++) {
    if (batch % 7 === 3) log.marker()
    if (batch % 11 === 5) log.foreign(3)
    at += batch % 5 === 2 ? 1 : 0
    log.copy(numbers(at, 20), { holes: batch % 13 === 6 })
    at += 20
  }
  return log
}

/** Each source record from the offset on has a copy at or behind the place. */
function assertMissesNothing(log: CopiedLog, sourceOffset: number, found: Translation): void {
  const copied = new Set(log.copies.map(copy => copy.sourceOffset).filter(offset => offset >= sourceOffset))
  const read = new Set(
    log.copies.filter(copy => copy.destinationOffset >= found.destinationOffset).map(copy => copy.sourceOffset)
  )
  const missed = [...copied].filter(offset => !read.has(offset))
  assert.deepEqual(missed, [], `${sourceOffset} was translated to ${found.destinationOffset}`)
}

function asTranslation({ sourceOffset, destinationOffset }: KnownCopy): Translation {
  return { destinationOffset, kind: 'copy', sourceOffset, isBehindOthers: false }
}

function endBehind({ sourceOffset, destinationOffset }: KnownCopy): Translation {
  return { destinationOffset: destinationOffset + 1, kind: 'end', sourceOffset, isBehindOthers: false }
}

function withoutOthers({ isBehindOthers: _, ...place }: Translation): Omit<Translation, 'isBehindOthers'> {
  return place
}

function numbers(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}
