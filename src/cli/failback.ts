import { loadConfig } from '../config/load.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { LostRecordFile, type LostRecordSink, LostRecordTopic } from '../failover/export-lost.ts'
import { failBack } from '../failover/failback.ts'
import { FAILBACK_STEPS, type LostDecision } from '../failover/failback-report.ts'
import { failbackText } from '../failover/failback-text.ts'
import { StepRefused } from '../failover/step-refused.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { interruptible } from './interruptible.ts'
import { Steps } from './progress.ts'
import { readDuration } from './read-duration.ts'
import { readReverseGroup } from './reverse-group.ts'
import { UsageError } from './usage-error.ts'
import { whoami } from './who.ts'
import { assertWritable } from './writable-file.ts'

const CLIENT_ID = 'farlog-failback'

/** `farlog failback`: the old source is back. */
export const command = defineCommand({
  name: 'failback',
  summary: 'Take in a source that came back: what only it has, and the way back.',
  help: `After 'farlog failover', once the old source is up again. It is given with the variables of the failover: the
old source is FARLOG_SOURCE. It needs FARLOG_REPLICATION_POLICY=identity.
  ready       the old source answers, and its flow still stands still by the order of the failover
  divergence  finds of each partition what had crossed, by the copies, beside what the loss report said
  lost        reads, counts and exports what exists only at the old source: committed records, no markers
  decision    --lost says what becomes of them once the flow runs again
  reverse     has the flow back begin behind the copies and run; its workers you start. Consumer groups come
              back with it, as they do in any flow

The flow itself stays stopped. Interrupted at any point, the same command goes on where it was.

Options:
  --dry-run             Tell all of it, and change nothing (--export is written all the same).
  --export FILE         The lost records as lines of JSON: topic, partition, offset, timestamp, key, value and
                        headers; key, value and the headers' values in base64.
  --export-topic NAME   The same lines as values of a compacted topic at the destination, made if need be.
                        Name it with .internal at its end, or it is mirrored like any other.
  --lost keep           The flow, once it is started again, mirrors them: they arrive late (default).
  --lost skip           The flow goes on behind them: they stay where they are, and in the export.
  --reread              The flow back reads all there is at the destination, and not only what stands behind
                        the copies: for topics that others had written to there before.
  --timeout DURATION    For transactions that are open at the old source (default: 2m).
  --reverse-group NAME  Group of the workers of the way back (default: farlog-<destination>-<source>).
  --destination ALIAS   Needed where there are several.
  --json                One JSON object on stdout: {"source", "destination", "isDryRun", "orderId", "warnings",
                        "lost": {"decision", "records", "bytes", "partitions"}, "reverse"}. Steps go to stderr.

Exits 0, or 1 if a step could not be done; what was done until then stays done.

Examples:
  farlog failback --dry-run --export lost.jsonl      what exists only at the old source?
  farlog failback --lost skip --export lost.jsonl
  jq -r '.value | @base64d' lost.jsonl`,

  options: {
    'dry-run': { type: 'boolean' },
    export: { type: 'string', completion: 'file' },
    'export-topic': { type: 'string' },
    lost: { type: 'string', default: 'keep', completion: ['keep', 'skip'] },
    reread: { type: 'boolean' },
    timeout: { type: 'string', default: '2m' },
    'reverse-group': { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const lost = readDecision(values.lost)
    const timeoutMs = readDuration('--timeout', values.timeout, { minimum: '1s', maximum: '24h' })
    const isDryRun = values['dry-run']
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const reverseGroupId = readReverseGroup(values['reverse-group'], flow)
    await assertWritable('--export', values.export)
    await using exports = new AsyncDisposableStack()
    const sinks = openSinks(config, flow, values.export, isDryRun ? undefined : values['export-topic'])
    for (const sink of sinks) exports.use(sink)
    using steps = new Steps(FAILBACK_STEPS, env)
    try {
      const report = await failBack({
        ...{ config, flow, reverseGroupId, lost, sinks, timeoutMs, isDryRun },
        readsWhole: values.reread,
        orderedBy: whoami(),
        say: steps.say,
        signal: interruptible()
      })
      steps.end()
      process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `\n${failbackText(report)}`)
      return EXIT.ok
    } catch (error) {
      if (!(error instanceof StepRefused)) throw error
      steps.end()
      process.stderr.write(`farlog failback: ${error.message}\n`)
      return EXIT.failed
    }
  }
})

function readDecision(text: string): LostDecision {
  if (text === 'keep' || text === 'skip') return text
  throw new UsageError(`--lost ${text} is neither keep nor skip`)
}

function openSinks(
  config: Config,
  flow: FlowConfig,
  file: string | undefined,
  topic: string | undefined
): LostRecordSink[] {
  return [
    ...(file === undefined ? [] : [new LostRecordFile(file)]),
    ...(topic === undefined ? [] : [new LostRecordTopic(flow.destination, topic, config.replicationFactor, CLIENT_ID)])
  ]
}
