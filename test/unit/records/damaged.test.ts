import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { batchesIn } from '../../../src/records/batch.ts'
import { RecordsError } from '../../../src/records/errors.ts'
import { Rewriter } from '../../../src/rewrite/rewriter.ts'
import { rewriteAll } from '../rewrite/rewrite-all.ts'
import { LimitedSink } from './support/limited-sink.ts'
import { plainDecompress } from './support/plain-codecs.ts'
import { decodeBatch } from './support/records.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')
/** Of each capture as many batches as a few kilobytes hold: damage is more likely to hit something that matters. */
const captures = readdirSync(FIXTURES)
  .filter(file => file.endsWith('.records'))
  .map(file => ({ name: file, bytes: firstBatches(readFileSync(join(FIXTURES, file)), 6_000) }))

const CRC_AT = 17
/** From here to its end a batch is covered by its CRC. */
const COVERED_FROM = 21
const LENGTH_AT = 8

/** Numbers that a lying length field may hold. */
const lie = fc.constantFrom(-1, 0, 1, 48, 49, 0x7fffffff, -0x80000000, 1_000_000)
const damage = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('byte' as const), at: fc.nat(), byte: fc.nat({ max: 255 }) }),
    fc.record({ kind: fc.constant('int32' as const), at: fc.nat(), value: lie }),
    fc.record({ kind: fc.constant('length' as const), at: fc.nat(), value: lie })
  ),
  { minLength: 1, maxLength: 4 }
)
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

describe('captured batches that are damaged', () => {
  for (const { name, bytes } of captures) {
    const intact = copiesIn(mirror(bytes).batches)

    it(`are copied up to the damage and no further, or not at all: ${name}`, () => {
      fc.assert(
        fc.property(damage, fc.nat(), (changes, cut) => {
          const damaged = apply(bytes, changes)
          for (const part of [damaged, damaged.subarray(0, cut % damaged.length)]) {
            const { batches, error } = mirror(part)
            assert.ok(error === undefined || error instanceof RecordsError, String(error))
            const copies = copiesIn(batches)
            assert.deepEqual(copies, intact.slice(0, copies.length))
          }
        }),
        { numRuns: 100 }
      )
    })

    it(`end in an error or in records, in no time and little memory, whatever stands behind a right CRC: ${name}`, () => {
      fc.assert(
        fc.property(damage, changes => {
          const damaged = withRightCrcs(apply(bytes, changes))
          const { error, batches } = mirror(damaged)
          assert.ok(error === undefined || error instanceof RecordsError, String(error))
          const bytesWritten = batches.reduce((sum, batch) => sum + batch.length, 0)
          // Compressed bytes may well stand for many; each record that comes out has been paid for by bytes that went in.
          assert.ok(bytesWritten < 4_000_000, `${bytesWritten} bytes were made of ${damaged.length}`)
        }),
        { numRuns: 100 }
      )
    })
  }
})

/** What a mirror would write, up to the error that stops it. */
function mirror(bytes: Buffer): { batches: Buffer[]; error: unknown } {
  const sink = new LimitedSink(1_000_000)
  let error: unknown
  try {
    const options = {
      sourceAlias: 'east',
      destinationAlias: 'west',
      topic: 'captured',
      partition: 0,
      codec: 0 as const
    }
    rewriteAll(new Rewriter(options), bytes, 0, [], sink)
  } catch (thrown) {
    error = thrown
  }
  return { batches: sink.seal(), error }
}

/** By the plain decoder, without their places. */
function copiesIn(batches: readonly Buffer[]): unknown[] {
  const copies = batches.flatMap(batch => decodeBatch(batch, plainDecompress).records)
  return copies.map(({ offset: _, ...copy }) => copy)
}

/**
 * Changes a copy of the bytes within what CRCs cover, and the length fields in front. What else stands in front (the base
 * offset, the leader epoch) is covered by nothing: brokers set it.
 */
function apply(bytes: Buffer, changes: Damage): Buffer {
  const damaged = Buffer.from(bytes)
  const batches = [...batchesIn(bytes)]
  for (const change of changes) {
    const { start, end } = batches[change.at % batches.length]!
    const at = start + COVERED_FROM + (change.at % (end - start - COVERED_FROM - 4))
    if (change.kind === 'byte') damaged[at] = change.byte
    else if (change.kind === 'int32') damaged.writeInt32BE(change.value, at)
    else damaged.writeInt32BE(change.value, start + LENGTH_AT)
  }
  return damaged
}

function withRightCrcs(bytes: Buffer): Buffer {
  try {
    for (const { start, end } of batchesIn(bytes)) {
      bytes.writeUInt32BE(crc32c(bytes.subarray(start + COVERED_FROM, end)), start + CRC_AT)
    }
  } catch {
    // Where a length lies, what follows it is no batch any more.
  }
  return bytes
}

function firstBatches(bytes: Buffer, bytesMax: number): Buffer {
  const ends = [...batchesIn(bytes)].map(({ end }) => end)
  return bytes.subarray(0, ends.findLast(end => end <= bytesMax) ?? ends[0]!)
}
