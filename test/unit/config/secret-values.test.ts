import assert from 'node:assert/strict'
import { noteSecret, redactSecrets, withoutSecrets } from '../../../src/config/secret-values.ts'

describe('secrets that are known', () => {
  it('are taken out of any text, as they are and as JSON writes them', () => {
    const secret = noteSecret('unit "quoted" \\ secret')
    assert.equal(redactSecrets(`before ${secret} after ${secret}`), 'before ****** after ******')
    assert.equal(redactSecrets(JSON.stringify({ secret })), '{"secret":"******"}')
  })

  it('are taken out of what was thrown, also where that is no error', () => {
    const secret = noteSecret('unit thrown secret')
    const error = Object.assign(new Error(`bug with ${secret}`), { code: 'BUG' })
    const shown = withoutSecrets(error)
    assert.deepEqual([shown.message, (shown as typeof error).code], ['bug with ******', 'BUG'])
    assert.match(shown.stack!, /bug with \*{6}\n.*secret-values\.test\.ts/)
    assert.equal(withoutSecrets({ secret }).message, "{ secret: '******' }")
  })

  it('leave nothing of a longer one in the open, of which one is a part', () => {
    const [part, whole] = [noteSecret('unit-part'), noteSecret('first unit-part last')]
    assert.equal(redactSecrets(`${whole}, ${part}`), '******, ******')
  })

  it('are not so short that they would take words out of sentences', () => {
    noteSecret('or')
    assert.equal(redactSecrets('one or two'), 'one or two')
  })

  it('are the last ones, where they are rotated for ever', () => {
    for (let i = 0; i < 300; i++) noteSecret(`unit rotated ${i}.`)
    assert.equal(redactSecrets('unit rotated 299.'), '******')
    assert.equal(redactSecrets('unit rotated 0.'), 'unit rotated 0.')
  })
})
