import assert from 'node:assert/strict'
import { sayRefusalsOnce } from '../../../src/flow/refusals-once.ts'

const REFUSAL = 'west: authentication failed (PLAIN): check FARLOG_WEST_SASL_USERNAME and FARLOG_WEST_SASL_PASSWORD'

describe('a refusal that is met again and again', () => {
  let nowMs: number
  let lines: string[]
  const log = () =>
    sayRefusalsOnce(
      (level, message) => lines.push(`${level} ${message}`),
      () => nowMs
    )

  beforeEach(() => {
    nowMs = 0
    lines = []
  })

  it('is said once, however it is told, and again after ten minutes', () => {
    const say = log()
    say('warn', 'first', { error: `${REFUSAL} [west broker a:1: no]` })
    say('warn', 'second', { error: `${REFUSAL} [west group g: no]` })
    for (nowMs = 15_000; nowMs <= 10 * 60_000 + 15_000; nowMs += 15_000) say('warn', 'later', { error: REFUSAL })
    assert.deepEqual(lines.slice(0, 3), ['warn first', 'debug second', 'debug later'])
    assert.deepEqual(
      lines.slice(3).filter(line => line.startsWith('warn')),
      ['warn later']
    )
  })

  it('is news when it comes back after it has passed', () => {
    const say = log()
    say('warn', 'first', { error: REFUSAL })
    nowMs = 61_000
    say('warn', 'again', { error: REFUSAL })
    assert.deepEqual(lines, ['warn first', 'warn again'])
  })

  it('hides no other one, and nothing else', () => {
    const say = log()
    say('warn', 'first', { error: REFUSAL })
    say('warn', 'elsewhere', { error: REFUSAL.replaceAll('west', 'east').replaceAll('WEST', 'EAST') })
    for (let i = 0; i < 2; i++) say('warn', 'other', { error: 'west broker a:1: ECONNREFUSED' })
    say('info', 'fine', {})
    assert.deepEqual(lines, ['warn first', 'warn elsewhere', 'warn other', 'warn other', 'info fine'])
  })

  it('is not taken for said where only the curious could see it', () => {
    const say = log()
    say('debug', 'early', { error: REFUSAL })
    say('warn', 'first', { error: REFUSAL })
    assert.deepEqual(lines, ['debug early', 'warn first'])
  })
})
