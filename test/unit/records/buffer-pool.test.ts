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

  it('hands out again what was given back, for a request of its size class or of one down to half of it', () => {
    const pool = new BufferPool(1 << 20)
    const buffer = pool.acquire(4_096)
    assert.equal(buffer.length, 4_096)
    for (const fitting of [4_096, 3_585, 3_000, 2_048]) {
      pool.release(buffer)
      assert.ok(pool.acquire(fitting) === buffer, `for ${fitting}`)
    }
    pool.release(buffer)
    assert.ok(pool.acquire(1_792) !== buffer)
    assert.ok(pool.acquire(4_097) !== buffer)
  })

  it('wastes no more than a quarter of what is asked for where it has nothing to hand out again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_025, max: 1 << 24 }), bytes => {
        const { length } = new BufferPool(0).acquire(bytes)
        assert.ok(length >= bytes && length <= bytes * 1.25 + 1, `${length} for ${bytes}`)
      })
    )
  })

  it('keeps no more bytes than it may: what nobody has wanted for longest goes', () => {
    const pool = new BufferPool(8_192)
    const [first, second, third] = [pool.acquire(4_096), pool.acquire(4_096), pool.acquire(4_096)]
    for (const buffer of [first, second, third]) pool.release(buffer!)
    const reused = [pool.acquire(4_096), pool.acquire(4_096), pool.acquire(4_096)]
    assert.ok(!reused.includes(first!) && reused.includes(second!) && reused.includes(third!))
  })

  it('does not stay full of sizes that nobody asks for any more', () => {
    const pool = new BufferPool(16_384)
    const past = Array.from({ length: 4 }, () => pool.acquire(4_096))
    for (const buffer of past) pool.release(buffer)
    const present = pool.acquire(10_000)
    pool.release(present)
    assert.equal(pool.acquire(10_000), present)
  })

  it('keeps nothing that is larger than all it may keep', () => {
    const pool = new BufferPool(4_096)
    const small = pool.acquire(4_096)
    const large = pool.acquire(8_192)
    pool.release(small)
    pool.release(large)
    assert.ok(pool.acquire(8_192) !== large)
    assert.equal(pool.acquire(4_096), small)
  })
})
