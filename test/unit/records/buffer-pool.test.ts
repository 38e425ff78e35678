import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BufferPool } from '../../../src/records/buffer-pool.ts'

const aStep = fc.oneof(
  fc.record({ acquire: fc.oneof(fc.nat({ max: 5_000 }), fc.constantFrom(1_024, 1_025, 4_096, 65_536, 65_537)) }),
  fc.record({ release: fc.nat() })
)

describe('BufferPool', () => {
  it('never hands out a buffer that somebody holds, nor one that is too small', () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 60 }), fc.constantFrom(0, 3_000, 1 << 20), (steps, retainedBytesMax) => {
        const pool = new BufferPool(retainedBytesMax)
        const held: Buffer[] = []
        for (const step of steps) {
          if ('acquire' in step) {
            const buffer = pool.acquire(step.acquire)
            assert.ok(buffer.length >= step.acquire)
            assert.ok(!held.some(other => other.buffer === buffer.buffer), 'it is nobody else’s')
            held.push(buffer)
          } else if (held.length > 0) {
            pool.release(held.splice(step.release % held.length, 1)[0]!)
          }
        }
      })
    )
  })

  it('hands out again what was given back, for any request of its size class', () => {
    const pool = new BufferPool(1 << 20)
    const buffer = pool.acquire(3_000)
    pool.release(buffer)
    assert.equal(pool.acquire(2_049), buffer)
    pool.release(buffer)
    assert.notEqual(pool.acquire(2_048), buffer)
    assert.notEqual(pool.acquire(4_097), buffer)
  })

  it('keeps no more bytes than it may, and keeps again once some are in use', () => {
    const pool = new BufferPool(8_192)
    const [first, second, third] = [pool.acquire(4_096), pool.acquire(4_096), pool.acquire(4_096)]
    for (const buffer of [first, second, third]) pool.release(buffer!)
    const reused = [pool.acquire(4_096), pool.acquire(4_096), pool.acquire(4_096)]
    assert.ok(reused.includes(first!) && reused.includes(second!) && !reused.includes(third!))
    pool.release(first!)
    assert.equal(pool.acquire(4_096), first)
  })
})
