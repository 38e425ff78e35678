import assert from 'node:assert/strict'
import { EXIT } from '../../../src/cli/command.ts'
import { describeFailure } from '../../../src/cli/failure.ts'
import { ConfigError } from '../../../src/config/config-error.ts'

describe('describeFailure', () => {
  it('gives a wrong configuration a line for each problem and 78', () => {
    const problem = (variable: string) => ({ variable, problem: 'is wrong', remedy: 'put it right' })
    const failure = describeFailure(new ConfigError([problem('FARLOG_A'), problem('FARLOG_B')]), 'farlog run', {})
    assert.deepEqual(failure, {
      exitCode: EXIT.config,
      lines: ['FARLOG_A: is wrong; put it right', 'FARLOG_B: is wrong; put it right']
    })
  })

  it('gives anything unexpected one line with the remedy, and 1', () => {
    const error = Object.assign(new Error('cannot listen\non port 1'), { remedy: 'take another' })
    assert.deepEqual(describeFailure(error, 'farlog run', { FARLOG_LOG_LEVEL: 'info' }), {
      exitCode: EXIT.failed,
      lines: ['farlog: cannot listen on port 1; take another']
    })
    assert.deepEqual(describeFailure('thrown text', 'farlog', {}).lines, ['farlog: thrown text'])
  })

  it('adds the stack only for who asked for detail', () => {
    for (const level of ['debug', 'trace']) {
      const { lines } = describeFailure(new Error('broken'), 'farlog run', { FARLOG_LOG_LEVEL: level })
      assert.equal(lines[0], 'farlog: broken')
      assert.match(lines[1]!, /failure\.test\.ts/)
    }
  })
})
