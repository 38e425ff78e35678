import { FormatError } from '../config/format.ts'
import { loadConfig } from '../config/load.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { verifyRate } from '../config/variables.ts'
import type { FlowReport, Verdict } from '../verify/flow-report.ts'
import { reportText } from '../verify/report-text.ts'
import { verifyFlow } from '../verify/verify-flow.ts'
import type { MemoryUse, VerifyOptions } from '../verify/verify-options.ts'
import { chooseFlows } from './choose-flows.ts'
import { defineCommand } from './command.ts'
import { failureLines } from './failure.ts'
import { readPatterns } from './patterns.ts'
import { showProgress } from './progress.ts'
import { UsageError } from './usage-error.ts'
import { verifyContinuously } from './verify-continuously.ts'
import { VerifyProgress } from './verify-progress.ts'
import { whoami } from './who.ts'

const EXIT_IDENTICAL = 0
const EXIT_DIFFERENT = 1
const EXIT_NOT_COMPARED = 2

const RATE_DEFAULT = '4MiB'
const DIFFERENCES_MAX = 100
const DIFFERENCES_PER_PARTITION = 20

/** `farlog verify`: the second pair of eyes. */
export const command = defineCommand({
  name: 'verify',
  summary: 'Compare source and destination record by record.',
  help: `Reads the committed records of every mirrored topic from both clusters and pairs them by the header
farlog.origin. Key, value, timestamp and headers (order, repeated names, null values) must be equal, and
the order within each partition too. Changes no copy and commits nothing; a mirror may be running.

What was found equal is remembered at the destination, in the compacted topic
farlog.verified.<source>.internal, and the next run reads only what is behind it. Differences are never
remembered as equal: each run finds them again. Who may not read that topic reads all; who may not write it
leaves nothing to the next run.

Options:
  --topics PATTERNS    Only these of the configured topics: comma-separated regular expressions that
                       match the whole name of the source topic.
  --destination ALIAS  Only this destination; all of them otherwise.
  --full               Read all again. The copies are also compared with what they were when they were
                       found equal, so that one that changed is found though its record is gone.
  --no-remember        Read all, know nothing of earlier runs and leave nothing to later ones.
  --continuous         Go on until stopped (SIGTERM, SIGINT): partitions take turns, and each difference is
                       told once. Records without a copy of them or of a later one are left alone.
  --max-bytes-per-second SIZE
                       With --continuous: how much to read of both sides together (default: ${RATE_DEFAULT}).
  --allow-lag          Records that are not mirrored yet (pending) are no difference.
  --limit N            Tell at most N differences (default: ${DIFFERENCES_MAX}, of a partition ${DIFFERENCES_PER_PARTITION}).
  --json               One JSON object on stdout: {"verdict", "flows": [{"source", "destination", "verdict",
                       "totals", "topics", "differences", "areMoreDifferences", "failures", "recordsRead",
                       "memory"}]}. With --continuous a line for each difference.

Exits 0 if identical (what was found equal before counts as that), 1 if different, 2 if it could not compare.

What the table counts, by record of the source:
  EQUAL       the copy is equal and in its place
  MISSING     no copy, though copies of later records are there
  REORDERED   the copy stands behind the copy of a later record (its contents are then not compared)
  DIFFERENT   the copy differs
  PENDING     no copy yet, nor of any later record; how far the mirror is behind
  LOOPED      it has been at the destination before, so it must not be mirrored
and by copy: DUPLICATED, a second one; UNEXPECTED, of what is no committed record of the source.

What is no difference, and is counted below the table: records that retention has deleted on either side,
copies newer than the comparison, other writers' records. Where the destination compacts, a missing copy
counts only if no copy of a newer record with its key is there, and never if the record is a tombstone.
Where the source compacts, copies of what it has removed cannot be compared.

--full may also find a range of copies CHANGED: they are not what they were, though nothing above says so.
This is told once: the next run compares the range anew.

Examples:
  farlog verify                              is everything there?
  farlog verify --allow-lag --topics 'orders.*'
  farlog verify --full                       is what was right still right?
  farlog verify --continuous --max-bytes-per-second 1MiB
  farlog verify --json | jq .verdict`,

  options: {
    topics: { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    'allow-lag': { type: 'boolean' },
    full: { type: 'boolean' },
    'no-remember': { type: 'boolean' },
    continuous: { type: 'boolean' },
    'max-bytes-per-second': { type: 'string' },
    limit: { type: 'string' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const limit = readLimit(values.limit)
    const options: VerifyOptions = {
      topics: readPatterns(values.topics),
      differencesPerPartition: limit ?? DIFFERENCES_PER_PARTITION,
      differencesMax: limit ?? DIFFERENCES_MAX,
      isLagAllowed: values['allow-lag'],
      memory: readMemory(values),
      verifiedBy: whoami()
    }
    const bytesPerSecond = readRate(values)
    const config = loadConfig(env)
    const flows = chooseFlows(config, values.destination)
    try {
      if (bytesPerSecond !== undefined) {
        const order = { config, flows, topics: options.topics, bytesPerSecond }
        const found = await verifyContinuously(
          { ...order, isRemembering: options.memory !== 'none', isJson: values.json },
          stopSignal()
        )
        return found === 0 ? EXIT_IDENTICAL : EXIT_DIFFERENT
      }
      const reports: FlowReport[] = []
      for (const flow of flows) {
        const report = await verifyWithProgress(config, flow, options, env)
        reports.push(report)
        if (!values.json) process.stdout.write(reportText(report))
      }
      const verdict = worst(reports)
      if (values.json) process.stdout.write(`${JSON.stringify({ verdict, flows: reports }, null, 2)}\n`)
      return exitCodeOf(verdict)
    } catch (error) {
      // Whatever it is: no other end may be taken for a difference that was found.
      process.stderr.write(`farlog verify: could not compare: ${failureLines(error, env).join('\n')}\n`)
      return EXIT_NOT_COMPARED
    }
  }
})

async function verifyWithProgress(
  config: Config,
  flow: FlowConfig,
  options: VerifyOptions,
  env: NodeJS.ProcessEnv
): Promise<FlowReport> {
  const progress = new VerifyProgress(`${flow.source.alias} → ${flow.destination.alias}`)
  using _ = showProgress(env, () => progress.state())
  return await verifyFlow(config, flow, options, progress)
}

function readMemory(values: { full: boolean; 'no-remember': boolean; continuous: boolean }): MemoryUse {
  if (values.full && values['no-remember']) {
    throw new UsageError('--full compares with what is remembered, so it cannot go with --no-remember')
  }
  if (values.full && values.continuous) throw new UsageError('--full has an end, so it cannot go with --continuous')
  if (values.full) return 'full'
  return values['no-remember'] ? 'none' : 'incremental'
}

/** Bytes per second; `undefined` where it is not to go on for ever. */
function readRate(values: { continuous: boolean; 'max-bytes-per-second': string | undefined }): number | undefined {
  const given = values['max-bytes-per-second']
  if (!values.continuous) {
    if (given !== undefined) throw new UsageError('--max-bytes-per-second needs --continuous')
    return undefined
  }
  try {
    return verifyRate.parse(given ?? RATE_DEFAULT)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new UsageError(`--max-bytes-per-second ${error.message}: ${error.remedy}`)
  }
}

function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,7}$/.test(text) || Number(text) === 0) {
    throw new UsageError(`--limit ${text} is no number from 1 to 9999999`)
  }
  return Number(text)
}

const FROM_BAD_TO_GOOD: readonly Verdict[] = ['could not compare', 'DIFFERENT', 'identical']

function worst(reports: readonly FlowReport[]): Verdict {
  return FROM_BAD_TO_GOOD.find(verdict => reports.some(report => report.verdict === verdict)) ?? 'identical'
}

function exitCodeOf(verdict: Verdict): number {
  switch (verdict) {
    case 'identical':
      return EXIT_IDENTICAL
    case 'DIFFERENT':
      return EXIT_DIFFERENT
    case 'could not compare':
      return EXIT_NOT_COMPARED
  }
}
