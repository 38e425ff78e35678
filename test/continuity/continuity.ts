/**
 * `make continuity SEED=7 FAILOVERS=20`: a consumer group failed over at random instants, with farlog and with MirrorMaker 2,
 * and what it missed and read again each time. Exits 0 only if farlog's missed nothing and read nothing beyond the last checkpoint again.
 */
import { markdownTable } from '../../bench/support/text-table.ts'
import { BY_FAILOVER, runContinuity } from './continuity-run.ts'
import { type Outcome, sum } from './judge.ts'

const seed = Number(process.env.SEED || Date.now() % 1_000_000)
const failovers = Number(process.env.FAILOVERS || 20)
console.log(`make continuity SEED=${seed} FAILOVERS=${failovers}`)

const result = await runContinuity({ seed, failovers, besideMirrorMaker: true, print: console.log })
const header = ['', 'missed', 'read again', 'never committed', 'since the checkpoint', 'beyond', 'beyond, at most']
const rows = [...result].map(([way, outcomes]) => {
  const { missed, readAgain, notCommitted, committed, beyond } = sum(outcomes)
  const beyondMax = Math.max(...outcomes.map(outcome => outcome.beyond))
  return [way, ...[missed, readAgain, notCommitted, committed, beyond, beyondMax].map(String)]
})
console.log(`\nRecords over ${failovers} failovers, all partitions together:\n\n${markdownTable(header, rows)}`)
for (const [way, outcomes] of result) console.log(`\n${way}, each time:\n${outcomes.map(line).join('\n')}`)
const { missed, beyond } = sum(result.get(BY_FAILOVER)!)
process.exit(missed === 0 && beyond === 0 ? 0 : 1)

function line(outcome: Outcome): string {
  return Object.entries(outcome)
    .map(([name, records]) => `${name} ${records}`)
    .join(', ')
}
