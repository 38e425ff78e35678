import { loadConfig } from '../config/load.ts'
import { PARTITION_LOSS } from '../events/partition-loss.ts'
import { FAILOVER_STEPS, failOver, isComplete } from '../failover/failover.ts'
import { failoverText } from '../failover/failover-text.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { interruptible } from './interruptible.ts'
import { readPatterns } from './patterns.ts'
import { Steps } from './progress.ts'
import { whoami } from './who.ts'
import { assertWritable } from './writable-file.ts'

/** `farlog failover`: the destination takes over. */
export const command = defineCommand({
  name: 'failover',
  summary: 'Stop a flow for good, tell the loss, and bring groups over.',
  help: `For the day the source is gone, or is to be left. It needs the destination only:
  stop      writes an order that every worker obeys, now and later, until 'farlog start'
  drain     waits until workers have let what is in flight arrive, 12 s at most
  shut out  fences every partition: from here on nobody can write a copy, not even a worker that was cut
            off or paused and comes back
  loss      tells of each partition how far it was mirrored, and what is known to have been at the source
            beyond that when a worker last heard of it
  groups    commits for each consumer group the place at the destination where it had got to at the source:
            from the source's own groups if it answers, else from their last checkpoints. Never backwards,
            and never for a group in which somebody consumes at the destination

Interrupted at any point, the same command goes on where it was.

Options:
  --dry-run            Tell all of it as of now, and change nothing.
  --groups PATTERNS    Only these of the configured groups: comma-separated regular expressions that match
                       the whole name.
  --report FILE        Write the loss report as an Avro object container file, a row for each partition
                       (schemas/loss-report.avsc). The rows are kept in farlog.events.<source>.internal, too.
  --destination ALIAS  Needed where there are several.
  --json               One JSON object on stdout: {"source", "destination", "isDryRun", "order", "warnings",
                       "loss": {totals, "losses"}, "groups"}; null is unknown. Steps go to stderr.

Lost records are an upper bound of what was known of: transaction markers count too. What came to the source
after a worker last heard of it is in no report.

Exits 0, or 1 if a step could not be done; what was done until then stays done.

Examples:
  farlog failover --dry-run                     what would be lost, and which groups would move?
  farlog failover --report loss.avro
  farlog failover --groups 'billing.*' --json | jq .loss.lostRecordsMax
  farlog start                                  and back: workers mirror again`,

  options: {
    'dry-run': { type: 'boolean' },
    groups: { type: 'string' },
    report: { type: 'string', completion: 'file' },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const groups = readPatterns(values.groups, '--groups')
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    await assertWritable('--report', values.report)
    using steps = new Steps(FAILOVER_STEPS, env)
    const report = await failOver({
      ...{ config, flow, groups, isDryRun: values['dry-run'], signal: interruptible() },
      orderedBy: whoami(),
      reason: `failover to ${flow.destination.alias}`,
      say: steps.say,
      report: async losses => {
        if (values.report !== undefined) await PARTITION_LOSS.writeFile(values.report, losses)
      }
    })
    steps.end()
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `\n${failoverText(report)}`)
    if (isComplete(report)) return EXIT.ok
    process.stderr.write('farlog failover: some groups could not be brought over: run it again\n')
    return EXIT.failed
  }
})
