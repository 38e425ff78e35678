import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_DIR } from '../support/java.ts'
import { referenceTables } from './metrics-reference.ts'

describe('docs/metrics.md', () => {
  const page = readFileSync(join(PROJECT_DIR, 'docs/metrics.md'), 'utf8')

  for (const [name, table] of Object.entries(referenceTables())) {
    it(`holds the table of ${name} that the code and the rules come to`, () => {
      const [, held] = new RegExp(`<!-- ${name}:begin -->\n(.*)<!-- ${name}:end -->`, 's').exec(page) ?? []
      assert.equal(held, table, 'put what `node test/monitoring/metrics-reference.ts` prints between the marks')
    })
  }
})
