import assert from 'node:assert/strict'
import { createLogger } from '../../../src/observe/logger.ts'
import { prettyLine } from '../../../src/observe/pretty-line.ts'

describe('logger', () => {
  const collect = (format: 'json' | 'pretty', level = 'info') => {
    const lines: string[] = []
    return { lines, logger: createLogger({ level, format }, { write: line => lines.push(line) }) }
  }

  it('writes JSON with the level as a word and the time as ISO 8601', () => {
    const { lines, logger } = collect('json')
    logger.info({ topic: 'orders', partition: 3 }, 'halted')
    assert.equal(lines.length, 1)
    const { time, ...rest } = JSON.parse(lines[0]!)
    assert.deepEqual(rest, { level: 'info', topic: 'orders', partition: 3, msg: 'halted' })
    assert.equal(new Date(time).toISOString(), time)
  })

  it('leaves out what is below the level', () => {
    const { lines, logger } = collect('json', 'warn')
    logger.info('not this')
    logger.warn('this')
    assert.equal(lines.length, 1)
  })

  it('writes errors with their stack', () => {
    const { lines, logger } = collect('json')
    logger.error({ err: new Error('no route') }, 'cannot connect')
    const { err } = JSON.parse(lines[0]!)
    assert.equal(err.message, 'no route')
    assert.match(err.stack, /logger\.test\.ts/)
  })

  it('writes lines for a person', () => {
    const { lines, logger } = collect('pretty')
    logger.child({ flow: 'east→west' }).warn({ partition: 3, detail: 'two words' }, 'halted')
    assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.\d{3} WARN {2}halted flow=east→west partition=3 detail="two words"\n$/)
  })
})

describe('prettyLine', () => {
  const time = '2026-01-01T00:00:00.000Z'

  it('puts an error behind the message and its stack below', () => {
    const err = { message: 'no route', stack: 'Error: no route\n    at connect' }
    const lines = prettyLine(JSON.stringify({ level: 'error', time, err, msg: 'cannot connect' }), false).split('\n')
    assert.match(lines[0]!, / ERROR cannot connect error="no route"$/)
    assert.deepEqual(lines.slice(1), ['    Error: no route', '        at connect', ''])
  })

  it('colours only when told to', () => {
    const line = JSON.stringify({ level: 'info', time, msg: 'hello', count: 1 })
    assert.ok(!prettyLine(line, false).includes('\u001b'))
    assert.ok(prettyLine(line, true).includes('\u001b[32mINFO \u001b[0m'))
  })
})
