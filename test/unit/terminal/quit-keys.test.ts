import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { onQuitKey } from '../../../src/terminal/quit-keys.ts'

class Keys extends EventEmitter {
  readonly isTTY: boolean
  isRaw = false
  isPaused = false

  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
  }

  setRawMode(isRaw: boolean): void {
    this.isRaw = isRaw
  }

  pause(): void {
    this.isPaused = true
  }

  press(keys: string): void {
    this.emit('data', Buffer.from(keys))
  }
}

describe('onQuitKey', () => {
  it('hears q and Ctrl-C and nothing else, and gives the keys back', () => {
    const keys = new Keys(true)
    let quits = 0
    {
      using _ = onQuitKey(keys, () => quits++)
      assert.equal(keys.isRaw, true)
      for (const key of ['x', '\r', '\x1b[A', 'q', 'Q', '\x03']) keys.press(key)
    }
    keys.press('q')
    assert.equal(quits, 3)
    assert.deepEqual([keys.isRaw, keys.isPaused, keys.listenerCount('data')], [false, true, 0])
  })

  it('leaves an input alone that is no terminal', () => {
    const pipe = new Keys(false)
    using _ = onQuitKey(pipe, () => assert.fail('nobody presses keys there'))
    pipe.press('q')
    assert.deepEqual([pipe.isRaw, pipe.listenerCount('data')], [false, 0])
  })
})
