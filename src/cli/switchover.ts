import { loadConfig } from '../config/load.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { switchOver } from '../failover/switchover.ts'
import { SWITCHOVER_STEPS, type SwitchoverStep } from '../failover/switchover-report.ts'
import { switchoverText } from '../failover/switchover-text.ts'
import type { FlowReport } from '../verify/flow-report.ts'
import { verifyFlow } from '../verify/verify-flow.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { interruptible } from './interruptible.ts'
import { readPatterns } from './patterns.ts'
import { Steps } from './progress.ts'
import { readDuration } from './read-duration.ts'
import { readReverseGroup } from './reverse-group.ts'
import { VerifyProgress } from './verify-progress.ts'
import { whoami } from './who.ts'

/** Only whether there are any counts here. */
const DIFFERENCES_MAX = 20

/** `farlog switchover`: the planned move. */
export const command = defineCommand({
  name: 'switchover',
  summary: 'Move to the destination as planned, with nothing lost.',
  help: `Both sides are up. It needs FARLOG_REPLICATION_POLICY=identity, for under other names the way back would be
another one.
  ready      both sides answer, no partition is halted, nobody else has stopped the flow
  lag        waits until it is under --max-lag
  producers  waits until they have stopped: nothing new at the source for --quiet, and no open transaction
  drained    waits until all of it is at the destination
  groups     commits for each consumer group its exact place at the destination. Never backwards, and never
             for a group in which somebody consumes there
  verify     compares both sides record by record, as farlog verify does
  stop       orders all workers to stand still, fences every partition, and leaves the loss report, which
             must be zero
  reverse    has the flow back begin behind the copies and run; its workers you start

What can't be done leaves both sides as they were (but for groups that moved forwards), and says so.
Interrupted at any point, the same command goes on where it was; done twice, the second time does nothing.

Options:
  --dry-run             Tell what stands in the way now; change nothing, and wait for --quiet only.
  --max-lag DURATION    How far any partition may be behind (default: 10s).
  --quiet DURATION      How long nothing must have come to the source (default: 5s).
  --timeout DURATION    For all waiting together (default: 5m).
  --no-verify           Leave the comparison out. Where the flow back never ran, it then reads all there is at
                        the destination, since others may have written there.
  --groups PATTERNS     Only these of the configured groups: comma-separated regular expressions that match
                        the whole name.
  --reverse-group NAME  Group of the workers of the way back (default: farlog-<destination>-<source>).
  --destination ALIAS   Needed where there are several.
  --json                One JSON object on stdout: {"source", "destination", "isDryRun", "outcome", "problems",
                        "warnings", "order", "groups", "groupsAtSource", "verified", "loss", "reverse"};
                        "outcome" is "switched over", "ready" (dry run), "refused" or "stuck". Steps go to stderr.

Exits 0 if it is switched over (or, in a dry run, if nothing stands in the way), and 1 otherwise.

Examples:
  farlog switchover --dry-run                    what stands in the way?
  farlog switchover --timeout 30m
  farlog switchover --no-verify --json | jq .outcome`,

  options: {
    'dry-run': { type: 'boolean' },
    'max-lag': { type: 'string', default: '10s' },
    quiet: { type: 'string', default: '5s' },
    timeout: { type: 'string', default: '5m' },
    'no-verify': { type: 'boolean' },
    groups: { type: 'string' },
    'reverse-group': { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const waits = {
      maxLagSeconds: readDuration('--max-lag', values['max-lag'], { minimum: '0s', maximum: '24h' }) / 1000,
      quietMs: readDuration('--quiet', values.quiet, { minimum: '1s', maximum: '1h' }),
      timeoutMs: readDuration('--timeout', values.timeout, { minimum: '1s', maximum: '168h' })
    }
    const groups = readPatterns(values.groups, '--groups')
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const reverseGroupId = readReverseGroup(values['reverse-group'], flow)
    using steps = new Steps(SWITCHOVER_STEPS, env)
    const report = await switchOver({
      ...{ config, flow, reverseGroupId, groups, ...waits, isDryRun: values['dry-run'] },
      verify: values['no-verify'] ? undefined : isWhole => verify(config, flow, isWhole, steps),
      orderedBy: whoami(),
      say: steps.say,
      signal: interruptible()
    })
    steps.end()
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `\n${switchoverText(report)}`)
    return report.outcome === 'switched over' || report.outcome === 'ready' ? EXIT.ok : EXIT.failed
  }
})

async function verify(
  config: Config,
  flow: FlowConfig,
  isWhole: boolean,
  steps: Steps<SwitchoverStep>
): Promise<FlowReport> {
  const limits = { differencesPerPartition: DIFFERENCES_MAX, differencesMax: DIFFERENCES_MAX }
  const memory = {
    memory: isWhole ? ('full' as const) : ('incremental' as const),
    verifiedBy: whoami()
  }
  const progress = new VerifyProgress(`${flow.source.alias} → ${flow.destination.alias}`)
  using _ = steps.within(() => progress.state())
  // That nothing is missing at the end is seen to otherwise, and heartbeats never stop.
  return await verifyFlow(config, flow, { topics: undefined, isLagAllowed: true, ...limits, ...memory }, progress)
}
