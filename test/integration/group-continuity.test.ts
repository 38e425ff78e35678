import assert from 'node:assert/strict'
import { AS_COMMITTED, BY_FAILOVER, runContinuity } from '../continuity/continuity-run.ts'
import { sum } from '../continuity/judge.ts'

const FAILOVERS = 2

/** `make continuity` does this for longer, and beside MirrorMaker 2. */
describe('a consumer group that is failed over at random instants', function () {
  this.timeout(420_000)

  it('misses nothing, and reads again what was read since its last checkpoint and nothing else', async () => {
    const lines: string[] = []
    const print = (line: string) => void lines.push(line)
    const result = await runContinuity({ seed: 11, failovers: FAILOVERS, besideMirrorMaker: false, print })
    const byFailover = result.get(BY_FAILOVER)!
    assert.equal(byFailover.length, FAILOVERS, lines.join('\n'))
    for (const { missed, beyond } of byFailover) assert.deepEqual({ missed, beyond }, { missed: 0, beyond: 0 })
    // What was never committed is read again, so something is.
    assert.ok(sum(byFailover).readAgain > 0)
    for (const { missed } of result.get(AS_COMMITTED)!) assert.equal(missed, 0)
  })
})
