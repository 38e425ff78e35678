import assert from 'node:assert/strict'
import { Writer } from '@platformatic/kafka'
import fc from 'fast-check'
import { WireReader, WireWriter } from '../../../src/cluster/wire.ts'
import { cuts, isBadResponse } from './support/is-bad-response.ts'
import { compactArray, compactString, int32, unsignedVarint } from './support/wire-bytes.ts'

type Field =
  | { readonly type: 'int8' | 'int16' | 'int32' | 'int64' | 'unsignedVarint'; readonly value: number }
  | { readonly type: 'compactString'; readonly value: string | null }
  | { readonly type: 'uuid'; readonly value: string }

const signed = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const aField: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ type: fc.constant('int8' as const), value: signed(8) }),
  fc.record({ type: fc.constant('int16' as const), value: signed(16) }),
  fc.record({ type: fc.constant('int32' as const), value: signed(32) }),
  fc.record({
    type: fc.constant('int64' as const),
    value: fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
  }),
  fc.record({
    type: fc.constant('unsignedVarint' as const),
    value: fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
  }),
  fc.record({
    type: fc.constant('compactString' as const),
    value: fc.option(fc.string({ unit: 'grapheme', maxLength: 300 }))
  }),
  fc.record({
    type: fc.constant('uuid' as const),
    value: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes).toString('hex'))
  })
)

describe('the wire format', () => {
  it('reads back what it writes, as the client library would have written it', () => {
    fc.assert(
      fc.property(fc.array(aField, { maxLength: 60 }), fields => {
        const writer = new WireWriter()
        const library = Writer.create()
        for (const field of fields) {
          write(writer, field)
          writeByLibrary(library, field)
        }
        const bytes = writer.take()
        assert.deepEqual(bytes, library.buffer)
        const reader = new WireReader(bytes)
        for (const field of fields) assert.equal(reader[field.type](), field.value)
        assert.throws(() => reader.int8(), isBadResponse)
      })
    )
  })

  it('writes every field whole wherever its memory ends', () => {
    const fields: Field[] = [
      { type: 'int8', value: -7 },
      { type: 'int16', value: -7_000 },
      { type: 'int32', value: -70_000_000 },
      { type: 'int64', value: -7_000_000_000_000 },
      { type: 'unsignedVarint', value: 7 },
      { type: 'unsignedVarint', value: 2 ** 32 - 1 },
      { type: 'compactString', value: 'a string' },
      { type: 'uuid', value: '0123456789abcdef0123456789abcdef' }
    ]
    for (const field of fields) {
      for (const before of [1_024, 2_048, 4_096].flatMap(end => Array.from({ length: 24 }, (_, i) => end - 22 + i))) {
        const bytes = written(writer => {
          writer.compactString('x'.repeat(before))
          write(writer, field)
          writer.int8(1)
        })
        const expected = Buffer.concat([
          compactString('x'.repeat(before)),
          written(writer => write(writer, field)),
          Buffer.from([1])
        ])
        assert.ok(bytes.equals(expected), `${field.type} behind ${before} bytes`)
      }
    }
  })

  it('starts anew after what was written is taken, and leaves alone what was taken', () => {
    const writer = new WireWriter().int32(1)
    const first = writer.take()
    const second = writer.int32(2).take()
    assert.deepEqual([first, second], [int32(1), int32(2)])
    assert.equal(writer.take().length, 0)
  })

  it('reads bytes as a view, and null as nothing', () => {
    const records = Buffer.from('records')
    const bytes = Buffer.concat([unsignedVarint(8), records, unsignedVarint(1), unsignedVarint(0), int32(7)])
    const reader = new WireReader(bytes)
    const read = reader.compactBytes()
    assert.deepEqual(read, records)
    assert.equal(read.buffer, bytes.buffer)
    assert.equal(reader.compactBytes().length, 0)
    assert.equal(reader.compactBytes().length, 0)
    assert.equal(reader.int32(), 7)
  })

  it('reads an array’s length, 0 for null', () => {
    const array = compactArray([1, 2, 3], item => [int32(item)])
    assert.equal(new WireReader(array).compactArrayLength(), 3)
    assert.equal(new WireReader(unsignedVarint(1)).compactArrayLength(), 0)
    assert.equal(new WireReader(unsignedVarint(0)).compactArrayLength(), 0)
  })

  it('hands each tagged field to who asks for it, and passes over all of them alike', () => {
    const tags = [
      [0, Buffer.from('first')],
      [7, Buffer.alloc(0)],
      [1_000_000, Buffer.from('last')]
    ] as const
    const parts = tags.flatMap(([tag, value]) => [unsignedVarint(tag), unsignedVarint(value.length), value])
    const bytes = Buffer.concat([unsignedVarint(tags.length), ...parts, int32(42)])
    const seen: [number, number][] = []
    const reader = new WireReader(bytes)
    // What a tag's value holds is none of the next field's business: this reads too little of each.
    reader.tags((tag, value) => seen.push([tag, tag === 0 ? value.int8() : -1]))
    assert.deepEqual(seen, [
      [0, 'f'.charCodeAt(0)],
      [7, -1],
      [1_000_000, -1]
    ])
    assert.equal(reader.int32(), 42)
    const ignoring = new WireReader(bytes)
    ignoring.tags()
    assert.equal(ignoring.int32(), 42)
  })

  it('does not let a tagged field read what lies behind it', () => {
    const bytes = Buffer.concat([
      unsignedVarint(1),
      unsignedVarint(0),
      unsignedVarint(3),
      Buffer.from('abc'),
      int32(42)
    ])
    assert.throws(() => new WireReader(bytes).tags((_tag, value) => value.int32()), isBadResponse)
  })

  describe('refuses', () => {
    it('every field that is cut short', () => {
      const whole: [Buffer, (reader: WireReader) => unknown][] = [
        [Buffer.alloc(1), reader => reader.int8()],
        [Buffer.alloc(2), reader => reader.int16()],
        [Buffer.alloc(4), reader => reader.int32()],
        [Buffer.alloc(8), reader => reader.int64()],
        [Buffer.alloc(16), reader => reader.uuid()],
        [unsignedVarint(2 ** 28), reader => reader.unsignedVarint()],
        [compactString('a string'), reader => reader.compactString()],
        [compactString('some bytes'), reader => reader.compactBytes()],
        [
          Buffer.concat([unsignedVarint(1), unsignedVarint(9), unsignedVarint(2), Buffer.from('ab')]),
          reader => reader.tags()
        ]
      ]
      for (const [bytes, read] of whole) {
        assert.doesNotThrow(() => read(new WireReader(bytes)))
        for (const cut of cuts(bytes)) assert.throws(() => read(new WireReader(cut)), isBadResponse)
      }
    })

    it('lengths that lie, before memory is taken for them', () => {
      for (const claim of [6, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 35 - 1]) {
        const lie = Buffer.concat([unsignedVarint(claim), Buffer.alloc(4)])
        assert.throws(() => new WireReader(lie).compactString(), isBadResponse)
        assert.throws(() => new WireReader(lie).compactBytes(), isBadResponse)
        assert.throws(() => new WireReader(lie).compactArrayLength(), isBadResponse)
        assert.throws(() => new WireReader(lie).tags(), isBadResponse)
      }
    })

    it('a number of more than five bytes', () => {
      assert.throws(() => new WireReader(Buffer.alloc(10, 0x80)).unsignedVarint(), isBadResponse)
    })
  })
})

function written(by: (writer: WireWriter) => void): Buffer {
  const writer = new WireWriter()
  by(writer)
  return writer.take()
}

function write(writer: WireWriter, field: Field): void {
  switch (field.type) {
    case 'compactString':
      writer.compactString(field.value)
      return
    case 'uuid':
      writer.uuid(Buffer.from(field.value, 'hex'))
      return
    default:
      writer[field.type](field.value)
  }
}

function writeByLibrary(writer: Writer, field: Field): void {
  switch (field.type) {
    case 'int8':
      writer.appendInt8(field.value)
      return
    case 'int16':
      writer.appendInt16(field.value)
      return
    case 'int32':
      writer.appendInt32(field.value)
      return
    case 'int64':
      writer.appendInt64(BigInt(field.value))
      return
    case 'unsignedVarint':
      writer.appendUnsignedVarInt(field.value)
      return
    case 'compactString':
      writer.appendString(field.value)
      return
    case 'uuid':
      writer.appendUUID(field.value)
  }
}
