import assert from 'node:assert/strict'
import { orZero, size } from '../../../src/config/format.ts'

describe('a size or 0', () => {
  it('is none for 0, and else as any size', () => {
    const format = orZero(size({ minimum: '1KiB', maximum: '1GiB' }))
    assert.deepEqual([format.parse('0'), format.parse('2KiB')], [0, 2_048])
    assert.throws(() => format.parse('0B'), { message: /too small/ })
    assert.throws(() => format.parse('00'), { message: /is not a size/ })
  })
})

describe('size', () => {
  const format = size({ minimum: '1KiB', maximum: '1GiB' })

  it('reads bytes', () => {
    assert.deepEqual(
      ['1024B', '512KiB', '16MiB', '1GiB'].map(text => format.parse(text)),
      [1024, 524_288, 16_777_216, 1_073_741_824]
    )
  })

  it('takes 0 only where there may be no limit', () => {
    assert.equal(size({ minimum: '1KiB', maximum: '1GiB', orUnlimited: true }).parse('0'), 0)
    assert.throws(() => format.parse('0'), { message: /is not a size/ })
  })

  it('refuses anything else, and what is out of bounds', () => {
    for (const text of ['512', '512kb', '512 KiB', '1.5MiB', '-1KiB', '']) {
      assert.throws(
        () => format.parse(text),
        { code: 'CONFIG_FORMAT', message: /is not a size/, remedy: /512KiB/ },
        text
      )
    }
    assert.throws(() => format.parse('1023B'), { message: /too small/, remedy: 'use at least 1KiB' })
    assert.throws(() => format.parse('2GiB'), { message: /too large/, remedy: 'use at most 1GiB' })
  })
})
