import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { configReference } from '../../../src/config/describe.ts'

describe('docs/configuration.md', () => {
  it('holds what `farlog config --markdown` prints', () => {
    const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
    const [, table] = /<!-- reference:begin -->\n(.*)<!-- reference:end -->/s.exec(page) ?? []
    assert.equal(table, configReference(), 'put the output of `farlog config --markdown` between the two marks')
  })
})
