import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import avro from 'avsc'
import fc from 'fast-check'
import { eventStatus, SOURCE_EVENT, type SourceEvent } from '../../../src/events/source-event.ts'

/** avsc takes one less than what a number holds exactly. */
const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER - 1 })
const events: fc.Arbitrary<SourceEvent> = fc.record({
  kind: fc.constantFrom('GAP', 'RECREATED', 'DIVERGED', 'RESUME'),
  action: fc.constantFrom('HALTED', 'CONTINUED', 'REQUESTED'),
  source: fc.string(),
  destination: fc.string(),
  topic: fc.string(),
  partition: fc.nat(),
  topicId: fc.string(),
  firstOffset: offset,
  nextOffset: offset,
  destinationOffset: fc.option(offset),
  detail: fc.string(),
  observer: fc.string(),
  observedAt: offset
})

describe('a source event', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(events, event => assert.deepEqual(SOURCE_EVENT.decode(SOURCE_EVENT.encode(event)), { ...event }))
    )
  })

  it('can be read by anybody who has the schema, behind the head of the single-object encoding', () => {
    const schema = join(import.meta.dirname, '../../../schemas/source-event.avsc')
    const type = avro.Type.forSchema(JSON.parse(readFileSync(schema, 'utf8')))
    fc.assert(
      fc.property(events, event => {
        const value = SOURCE_EVENT.encode(event)
        assert.equal(value.toString('hex', 0, 2), 'c301')
        assert.equal((type.fromBuffer(value.subarray(10)) as SourceEvent).detail, event.detail)
      })
    )
  })

  it('is none where the bytes are others', () => {
    const value = SOURCE_EVENT.encode(fc.sample(events, 1)[0]!)
    for (let length = 0; length < value.length; length++)
      assert.equal(SOURCE_EVENT.decode(value.subarray(0, length)), undefined)
    for (let at = 0; at < 10; at++) {
      const changed = Buffer.from(value)
      changed[at]! ^= 1
      assert.equal(SOURCE_EVENT.decode(changed), undefined)
    }
    fc.assert(fc.property(fc.uint8Array(), bytes => SOURCE_EVENT.decode(Buffer.from(bytes)) === undefined))
  })

  it('is shown with its time as people write it', () => {
    const event = { ...fc.sample(events, 1)[0]!, observedAt: Date.UTC(2026, 0, 2, 3, 4, 5) }
    assert.equal(eventStatus(event).observedAt, '2026-01-02T03:04:05.000Z')
  })
})
