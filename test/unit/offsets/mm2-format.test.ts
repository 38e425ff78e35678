import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Checkpoint,
  checkpointsTopic,
  decodeCheckpoint,
  decodeHeartbeat,
  decodeOffsetSync,
  type EncodedRecord,
  encodeCheckpoint,
  encodeHeartbeat,
  encodeOffsetSync,
  type Heartbeat,
  type OffsetSync,
  offsetSyncsTopic
} from '../../../src/offsets/mm2-format.ts'

const aString = fc.string({ unit: 'binary' })
const aPartition = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const anOffset = fc.oneof(fc.nat({ max: 1_000 }), fc.maxSafeInteger())

const PLAIN = { noNullPrototype: true }
const someCheckpoint: fc.Arbitrary<Checkpoint> = fc.record(
  {
    group: aString,
    topic: aString,
    partition: aPartition,
    upstreamOffset: anOffset,
    downstreamOffset: anOffset,
    metadata: aString
  },
  PLAIN
)
const someOffsetSync: fc.Arbitrary<OffsetSync> = fc.record(
  { topic: aString, partition: aPartition, upstreamOffset: anOffset, downstreamOffset: anOffset },
  PLAIN
)
const someHeartbeat: fc.Arbitrary<Heartbeat> = fc.record(
  { source: aString, target: aString, timestampMs: anOffset },
  PLAIN
)

/** `example` and its bytes are from Kafka's own classes. */
const FORMATS = [
  {
    name: 'checkpoint',
    some: someCheckpoint.map(value => ({ value, encoded: encodeCheckpoint(value) })),
    decode: decodeCheckpoint,
    isVersioned: true,
    example: {
      group: 'group-1',
      topic: 'topic-2',
      partition: 3,
      upstreamOffset: 4,
      downstreamOffset: 5,
      metadata: 'metadata-6'
    },
    key: '000767726f75702d310007746f7069632d3200000003',
    value: '000000000000000000040000000000000005000a6d657461646174612d36'
  },
  {
    name: 'pair of offsets',
    some: someOffsetSync.map(value => ({ value, encoded: encodeOffsetSync(value) })),
    decode: decodeOffsetSync,
    isVersioned: false,
    example: { topic: 'topic-1', partition: 2, upstreamOffset: 3, downstreamOffset: 4 },
    key: '0007746f7069632d3100000002',
    value: '00000000000000030000000000000004'
  },
  {
    name: 'heartbeat',
    some: someHeartbeat.map(value => ({ value, encoded: encodeHeartbeat(value) })),
    decode: decodeHeartbeat,
    isVersioned: true,
    example: { source: 'source-1', target: 'target-2', timestampMs: 1234567890 },
    key: '0008736f757263652d3100087461726765742d32',
    value: '000000000000499602d2'
  }
] as const

describe('MirrorMaker 2’s formats', () => {
  it('are written as Kafka’s classes write them', () => {
    assert.deepEqual(hex(encodeCheckpoint(FORMATS[0].example)), [FORMATS[0].key, FORMATS[0].value])
    assert.deepEqual(hex(encodeOffsetSync(FORMATS[1].example)), [FORMATS[1].key, FORMATS[1].value])
    assert.deepEqual(hex(encodeHeartbeat(FORMATS[2].example)), [FORMATS[2].key, FORMATS[2].value])
  })

  for (const { name, some, decode, isVersioned, example, key, value } of FORMATS) {
    it(`read the ${name} that Kafka’s class wrote`, () => {
      assert.deepEqual(decode(Buffer.from(key, 'hex'), Buffer.from(value, 'hex')), example)
    })

    it(`give back every ${name} as it was written`, () => {
      fc.assert(
        fc.property(some, ({ value, encoded }) => {
          assert.deepEqual(decode(encoded.key, encoded.value), value)
        })
      )
    })

    it(`find no ${name} in bytes that miss some, or have some left over`, () => {
      const keyBytes = Buffer.from(key, 'hex')
      const valueBytes = Buffer.from(value, 'hex')
      for (let end = 0; end < keyBytes.length; end++) {
        assert.equal(decode(keyBytes.subarray(0, end), valueBytes), undefined)
      }
      for (let end = 0; end < valueBytes.length; end++) {
        assert.equal(decode(keyBytes, valueBytes.subarray(0, end)), undefined)
      }
      const more = Buffer.from([0])
      assert.equal(decode(Buffer.concat([keyBytes, more]), valueBytes), undefined)
      assert.equal(decode(keyBytes, Buffer.concat([valueBytes, more])), undefined)
    })

    it(`find no ${name} in a tombstone, nor without a key`, () => {
      assert.equal(decode(Buffer.from(key, 'hex'), null), undefined)
      assert.equal(decode(null, Buffer.from(value, 'hex')), undefined)
    })

    it(`never throw on bytes taken for a ${name}`, () => {
      const version = fc.constant(Buffer.alloc(isVersioned ? 2 : 0))
      const anyBytes = fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        // Most random bytes fail at the first field; these get past it.
        fc.tuple(version, fc.uint8Array({ maxLength: 40 })).map(parts => Buffer.concat(parts))
      )
      fc.assert(
        fc.property(anyBytes, anyBytes, (key, value) => {
          const decoded = decode(Buffer.from(key), Buffer.from(value))
          assert.ok(decoded === undefined || Object.values(decoded).every(field => field !== undefined))
        })
      )
    })

    if (isVersioned) {
      it(`find no ${name} of another version`, () => {
        for (const version of [1, -1, 256]) {
          const bytes = Buffer.from(value, 'hex')
          bytes.writeInt16BE(version, 0)
          assert.equal(decode(Buffer.from(key, 'hex'), bytes), undefined, String(version))
        }
      })
    }
  }

  it('have no strings that are null, and no numbers beyond what is exact', () => {
    const { key, value } = FORMATS[1]
    assert.equal(decodeOffsetSync(Buffer.from('ffff00000002', 'hex'), Buffer.from(value, 'hex')), undefined)
    const beyond = '0020000000000000'
    assert.equal(decodeOffsetSync(Buffer.from(key, 'hex'), Buffer.from(beyond + beyond, 'hex')), undefined)
  })

  it('refuse to write a string that is too long for them', () => {
    const longest = 'x'.repeat(32_767)
    const sync = { partition: 0, upstreamOffset: 0, downstreamOffset: 0 }
    const { key, value } = encodeOffsetSync({ topic: longest, ...sync })
    assert.equal(decodeOffsetSync(key, value)?.topic, longest)
    assert.throws(() => encodeOffsetSync({ topic: `${longest}x`, ...sync }), /32768 bytes/)
  })
})

describe('MirrorMaker 2’s topics', () => {
  it('are called as its replication policies call them at the destination', () => {
    assert.equal(checkpointsTopic('east'), 'east.checkpoints.internal')
    assert.equal(offsetSyncsTopic('east'), 'mm2-offset-syncs.east.internal')
    assert.equal(checkpointsTopic('east', '_'), 'east_checkpoints_internal')
    assert.equal(offsetSyncsTopic('east', '_'), 'mm2-offset-syncs_east_internal')
  })
})

function hex({ key, value }: EncodedRecord): [key: string, value: string] {
  return [key.toString('hex'), value.toString('hex')]
}
