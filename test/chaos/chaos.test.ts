import assert from 'node:assert/strict'
import { runChaos } from './chaos-run.ts'
import { resultLines } from './report.ts'

const SEED = 11
const LENGTH_MS = 60_000

/** A short one of what `make chaos` does for as long as one likes. */
describe('a mirror under faults of all kinds', function () {
  // Each of its parts gives up before, and says which one.
  this.timeout(1_200_000)

  it(`has every record at the destination once, in order and equal (seed ${SEED})`, async () => {
    const lines: string[] = []
    const result = await runChaos({
      seed: SEED,
      lengthMs: LENGTH_MS,
      recordsPerSecond: 3_000,
      print: line => lines.push(line)
    })
    assert.ok(result.isGood, [...lines, ...resultLines(result), `Logs: ${result.evidenceDir}`].join('\n'))
    assert.ok(result.acknowledged > 50_000, `${result.acknowledged} records`)
    assert.ok(result.faultsByKind.size >= 8, [...result.faultsByKind.keys()].join())
  })
})
