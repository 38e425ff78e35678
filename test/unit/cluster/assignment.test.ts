import assert from 'node:assert/strict'
import fc from 'fast-check'
import { assignedPartitions } from '../../../src/cluster/assignment.ts'

const int16 = (value: number) => [value >> 8, value & 255]
const int32 = (value: number) => [...int16(value >>> 16), ...int16(value & 65_535)]
const string = (text: string) => [...int16(Buffer.byteLength(text)), ...Buffer.from(text)]

/** As `ConsumerProtocolAssignment` is written, with what an assignor adds behind it. */
function assignment(
  topics: Readonly<Record<string, readonly number[]>>,
  userData: readonly number[] = int32(-1)
): Buffer {
  const listed = Object.entries(topics).flatMap(([topic, partitions]) => [
    ...string(topic),
    ...int32(partitions.length),
    ...partitions.flatMap(int32)
  ])
  return Buffer.from([...int16(1), ...int32(Object.keys(topics).length), ...listed, ...userData])
}

describe('the assignment of a group’s member', () => {
  it('names its partitions', () => {
    assert.deepEqual(assignedPartitions(assignment({ orders: [0, 7], übersicht: [3], none: [] }, [1, 2, 3])), [
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 7 },
      { topic: 'übersicht', partition: 3 }
    ])
  })

  it('is empty for a member that has none yet', () => {
    assert.deepEqual(assignedPartitions(Buffer.alloc(0)), [])
  })

  it('is read or nothing in no time, whatever its bytes', () => {
    const whole = assignment({ orders: [0, 7], payments: [1, 2, 3] })
    for (let length = 0; length < whole.length - 4; length++)
      assert.deepEqual(assignedPartitions(whole.subarray(0, length)), [])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        assert.ok(assignedPartitions(Buffer.from(bytes)).length <= bytes.length / 4)
      })
    )
  })
})
