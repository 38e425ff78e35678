/**
 * Repetitions that are known of a destination batch's records before it is compressed: what the source's compressor found,
 * carried over to where the records went, and the provenance headers, which repeat each other.
 */
import type { BufferPool } from './buffer-pool.ts'
import {
  distanceOf,
  FARTHEST_MATCH,
  LONGEST_MATCH,
  lengthOf,
  type Matches,
  packMatch,
  SHORTEST_MATCH
} from './matches.ts'
import { doubled, hashOf, WORD_BYTES, wordsOf } from './words.ts'

const BYTES_MIN = 4 * 1024
/** Documents have a match of eight bytes for each 25 of theirs. */
const RECORD_BYTES_PER_BYTE = 3
/** A far match of three bytes takes about as many bits as the bytes themselves. */
const FARTHEST_SHORTEST_MATCH = 4 * 1024

/** The matches of one destination batch, in the order of their places. */
export class KnownMatches implements Matches {
  readonly #pool: BufferPool
  readonly #start: number
  #buffer: Buffer
  words: Int32Array
  count = 0
  #headerAt = -1
  #headerBytes = 0

  /**
   * @param start where the records begin: what is before them is not compressed, so nothing can repeat it
   * @param recordBytes how many bytes of records are to be expected
   */
  constructor(pool: BufferPool, start: number, recordBytes: number) {
    this.#pool = pool
    this.#start = start
    this.#buffer = pool.acquire(Math.max(BYTES_MIN, recordBytes / RECORD_BYTES_PER_BYTE))
    this.words = int32Of(this.#buffer)
  }

  /** Bytes at `at` repeat as many bytes `distance` before them; what is too short or too far is passed over. */
  add(at: number, length: number, distance: number): void {
    if (length < SHORTEST_MATCH || distance > FARTHEST_MATCH) return
    if (length === SHORTEST_MATCH && distance > FARTHEST_SHORTEST_MATCH) return
    const index = this.count * 2
    if (index + 2 > this.words.length) this.#grow()
    this.words[index] = at
    this.words[index + 1] = packMatch(length, distance)
    this.count++
  }

  /**
   * As `add`, for bytes of which the last known repetition may be too far: what begins like them was perhaps repeated nearer by.
   */
  addNearest(bytes: Buffer, words: DataView, at: number, length: number, distance: number): void {
    if (length < WORD_BYTES) {
      this.add(at, length, distance)
      return
    }
    const slot = hashOf(words.getInt32(at, true), HASH_BITS)
    if (distance <= FARTHEST_MATCH) this.add(at, length, distance)
    else this.#search(bytes, words, at, at + length)
    latestPlaces[slot] = at
  }

  /** Finds repetitions of these bytes among places where others began. */
  #search(bytes: Buffer, words: DataView, start: number, end: number): void {
    let unknown = start
    for (let at = start; at <= end - WORD_BYTES; ) {
      const place = latestPlaces[hashOf(words.getInt32(at, true), HASH_BITS)]!
      const distance = at - place
      const isWithin = place >= this.#start && distance > 0 && distance <= FARTHEST_MATCH
      const same = isWithin ? sameBytes(bytes, at, place, end - at) : 0
      if (same < WORD_BYTES) {
        at++
        continue
      }
      let before = 0
      const beforeMax = Math.min(at - unknown, place - this.#start)
      while (before < beforeMax && bytes[at - before - 1] === bytes[place - before - 1]) before++
      this.add(at - before, before + same, distance)
      at += same
      unknown = at
    }
  }

  /**
   * A provenance header was appended. It begins as the one of the record before does, and often as what stands behind what the last
   * match repeats, which then goes on into it.
   * @param at where the record's last bytes of the source end, before the number of headers if there were none
   */
  addHeader(bytes: Buffer, at: number, headerAt: number, end: number): void {
    let from = at + this.#prolongLast(bytes, at, end)
    const distance = headerAt - this.#headerAt
    if (this.#headerAt >= 0 && this.#headerBytes === end - headerAt) {
      if (from < headerAt && bytes[from] !== bytes[from - distance]) from = headerAt
      this.add(from, sameBytes(bytes, from, from - distance, Math.min(end - from, LONGEST_MATCH)), distance)
    }
    this.#headerAt = headerAt
    this.#headerBytes = end - headerAt
  }

  /** Has the last match, if it ends here, go on as far as it can. @returns by how many bytes */
  #prolongLast(bytes: Buffer, at: number, end: number): number {
    if (this.count === 0) return 0
    const index = this.count * 2 - 2
    const match = this.words[index + 1]!
    const length = lengthOf(match)
    if (this.words[index]! + length !== at) return 0
    const distance = distanceOf(match)
    const same = sameBytes(bytes, at, at - distance, Math.min(end - at, LONGEST_MATCH - length))
    this.words[index + 1] = packMatch(length + same, distance)
    return same
  }

  release(): void {
    this.#pool.release(this.#buffer)
  }

  #grow(): void {
    const larger = this.#pool.acquire(this.#buffer.length * 1.5)
    this.#buffer.copy(larger)
    this.#pool.release(this.#buffer)
    this.#buffer = larger
    this.words = int32Of(larger)
  }
}

function sameBytes(bytes: Buffer, at: number, other: number, max: number): number {
  let same = 0
  while (same < max && bytes[at + same] === bytes[other + same]) same++
  return same
}

function int32Of(buffer: Buffer): Int32Array {
  return new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2)
}

const HASH_BITS = 12
/** Where a match began with four bytes of this hash last, in whichever batch: what is said here is compared before it is believed. */
const latestPlaces = new Int32Array(1 << HASH_BITS)

/** Places are found by buckets of so many source bytes. */
const BUCKET_BITS = 6

/** Runs of bytes that were copied from the batch at hand, of each its start, its end, and how far it went. Used again for the next batch. */
let runs = new Int32Array(3 * 1024)
const RUN_END = 1
const RUN_SHIFT = 2
const RUN_WORDS = 3
/** More than batches have; what is copied beyond it is written as it is. So much is kept from one batch to the next at most. */
const RUNS_LENGTH_MAX = RUN_WORDS * 512 * 1024
/** A distance that is too far for any match. */
const NOWHERE = 0x7fffffff
/** By bucket of source bytes: the first run that ends behind where the bucket begins, by its place in `runs`. */
let firstRuns = new Int32Array(4096)

/**
 * Carries the matches of one source batch over to where its bytes go. A match is cut where what it covers, or what it
 * repeats, did not stay together; what is not carried over is written as it is.
 */
export class MatchCarrier {
  readonly #words: Int32Array
  readonly #end: number
  /** The first match that does not lie before everything that was copied. */
  #next = 0
  #bytes: Buffer | undefined
  #plainWords: DataView | undefined
  #runsEnd = 0
  #buckets = 0
  #into: KnownMatches | undefined
  /** Of those that went to the same destination batch. */
  #firstRun = 0

  constructor(matches: Matches) {
    this.#words = matches.words
    this.#end = matches.count * 2
  }

  /** Source bytes from `start` to `end` were copied to `to`. Call it in the order of the source's bytes. */
  carry(start: number, end: number, to: number, bytes: Buffer, into: KnownMatches): void {
    if (start === end || this.#runsEnd === RUNS_LENGTH_MAX) return
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#plainWords = wordsOf(bytes)
    }
    if (into !== this.#into) {
      this.#into = into
      this.#firstRun = this.#runsEnd
    }
    this.#addRun(start, end, to - start)
    const words = this.#words
    const matchesEnd = this.#end | 0
    const shift = (to - start) | 0
    let next = this.#next | 0
    for (; next < matchesEnd; next = (next + 2) | 0) {
      const at = words[next]!
      if (at >= end) break
      const match = words[next + 1]!
      const matchEnd = (at + lengthOf(match)) | 0
      if (matchEnd > start) {
        this.#carryMatch(Math.max(at, start), Math.min(matchEnd, end), distanceOf(match), shift)
      }
      // It goes on in what is copied next.
      if (matchEnd > end) break
    }
    this.#next = next
  }

  #carryMatch(start: number, end: number, distance: number, shift: number): void {
    const all = runs
    for (let at = start | 0; at < end; ) {
      const from = (at - distance) | 0
      let run = firstRuns[from >> BUCKET_BITS]!
      while (all[run + RUN_END]! <= from) run = (run + RUN_WORDS) | 0
      const runStart = all[run]!
      if (from < runStart) {
        at = (at + runStart - from) | 0
        continue
      }
      const rest = (all[run + RUN_END]! - from) | 0
      const length = rest < end - at ? rest : (end - at) | 0
      const newDistance = run < this.#firstRun ? NOWHERE : (distance + shift - all[run + RUN_SHIFT]!) | 0
      this.#into!.addNearest(this.#bytes!, this.#plainWords!, (at + shift) | 0, length, newDistance)
      at = (at + length) | 0
    }
  }

  #addRun(start: number, end: number, shift: number): void {
    const run = this.#runsEnd
    if (run === runs.length) runs = doubled(runs)
    runs[run] = start
    runs[run + RUN_END] = end
    runs[run + RUN_SHIFT] = shift
    this.#runsEnd = run + RUN_WORDS
    const buckets = ((end - 1) >> BUCKET_BITS) + 1
    while (buckets > firstRuns.length) firstRuns = doubled(firstRuns)
    for (let bucket = this.#buckets; bucket < buckets; bucket++) firstRuns[bucket] = run
    this.#buckets = buckets
  }
}
