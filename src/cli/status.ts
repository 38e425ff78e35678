import { parseArgs } from 'node:util'
import { pause } from '../cluster/retry.ts'
import { loadConfig } from '../config/load.ts'
import { FlowObserver, type OnLooked } from '../status/flow-observer.ts'
import { isComplete, type Overview } from '../status/overview.ts'
import { Screen } from '../status/screen.ts'
import { statusText, summaryLine } from '../status/status-text.ts'
import { type Command, EXIT } from './command.ts'
import { readPatterns } from './patterns.ts'

const WATCH_INTERVAL_MS = 2_000
const LINES_WHEN_UNKNOWN = 24
/** The shell's prompt below what is shown once, and the time above what is watched. */
const PROMPT_LINES = 2
const HEAD_LINES = 2
const ERASE_LINE = '\r\x1b[K'

/** `farlog status`: how far each partition is mirrored, asked of the clusters themselves. */
export const command: Command = {
  name: 'status',
  summary: 'Show how far each partition is mirrored.',
  help: `Asks both clusters, no worker: it changes nothing, and works when no worker is running. Of each partition:
  SOURCE END   the last stable offset at the source
  MIRRORED TO  all source records below this offset are at the destination: what the group has committed
               or the newest copy at the destination itself says, whichever is further
  LAG          source offsets between the two; markers and aborted transactions in between count too
  LAG TIME     an estimate: how old the oldest record is that is not mirrored yet, by its timestamp and
               the clock here (a worker's farlog_lag_seconds is measured without either); - if unknown
  ETA          with --watch: when it will have caught up, at the rate seen so far
  STATE        mirrored (caught up), behind, not started, gap (the source deleted records before they were
               mirrored), recreated (the source topic is another one now), diverged (a log was cut back or
               made anew), missing (no such partition at the destination), unreachable

Options:
  --topics PATTERNS  Only these of the configured topics: comma-separated regular expressions that match
                     the whole name of the source topic.
  --watch            Again every ${WATCH_INTERVAL_MS / 1000} s until Ctrl-C: redrawn on a terminal, otherwise a line for each flow.
  --all              On a terminal all partitions, not only as many as fit.
  --json             One JSON object on stdout, with --watch one on each line: {"observedAt", "flows":
                     [{"source", "destination", "groupId", "workers", "problems", "totals", "exposure",
                     "partitions"}]}; null is unknown.

Exits 0, or 1 if something could not be asked: the rest is shown all the same.

Examples:
  farlog status                                is everything mirrored?
  farlog status --watch --topics 'orders.*'
  farlog status --json | jq '.flows[].exposure'`,

  async run(args, env) {
    const { values } = parseArgs({
      args,
      options: {
        topics: { type: 'string' },
        watch: { type: 'boolean' },
        all: { type: 'boolean' },
        json: { type: 'boolean' }
      }
    })
    const topics = readPatterns(values.topics)
    const config = loadConfig(env)
    await using observers = new AsyncDisposableStack()
    const flows = config.flows.map(flow =>
      observers.use(new FlowObserver(config, flow, { topics, nowMs: () => Date.now() }))
    )
    const options = { isJson: values.json === true, showsAll: values.all === true, env }
    return values.watch ? await watch(flows, options) : await showOnce(flows, options)
  }
}

interface ShowOptions {
  readonly isJson: boolean
  readonly showsAll: boolean
  readonly env: NodeJS.ProcessEnv
}

async function showOnce(flows: readonly FlowObserver[], options: ShowOptions): Promise<number> {
  const overview = await observe(flows, new AbortController().signal, showProgress(flows.length))
  if (process.stderr.isTTY) process.stderr.write(ERASE_LINE)
  process.stdout.write(
    options.isJson ? `${JSON.stringify(overview, null, 2)}\n` : asText(overview, options, PROMPT_LINES)
  )
  return isComplete(overview) ? EXIT.ok : EXIT.failed
}

/** Until Ctrl-C, which is how it is meant to end. */
async function watch(flows: readonly FlowObserver[], options: ShowOptions): Promise<number> {
  const stop = new AbortController()
  const stopped = new Promise<undefined>(resolve => stop.signal.addEventListener('abort', () => resolve(undefined)))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  using screen = process.stdout.isTTY && !options.isJson ? new Screen(process.stdout) : undefined
  while (!stop.signal.aborted) {
    const startedAtMs = performance.now()
    // Whoever presses Ctrl-C does not wait for a cluster that does not answer.
    const observing = observe(flows, stop.signal, () => {})
    observing.catch(() => {})
    const overview = await Promise.race([observing, stopped])
    if (overview === undefined) break
    if (screen) screen.draw(`${overview.observedAt}\n\n${asText(overview, options, HEAD_LINES)}`)
    else if (options.isJson) process.stdout.write(`${JSON.stringify(overview)}\n`)
    else for (const flow of overview.flows) process.stdout.write(`${overview.observedAt} ${summaryLine(flow)}\n`)
    await pause(WATCH_INTERVAL_MS - (performance.now() - startedAtMs), stop.signal)
  }
  return EXIT.ok
}

async function observe(
  flows: readonly FlowObserver[],
  signal: AbortSignal,
  onLooked: (flow: number) => OnLooked | undefined
): Promise<Overview> {
  const observedAt = new Date().toISOString()
  return { observedAt, flows: await Promise.all(flows.map((flow, index) => flow.observe(signal, onLooked(index)))) }
}

/** A line on the terminal that goes when the answer comes. */
function showProgress(flowCount: number): (flow: number) => OnLooked | undefined {
  if (!process.stderr.isTTY) return () => undefined
  const looked = Array.from({ length: flowCount }, () => ({ partitions: 0, ofPartitions: 0 }))
  return flow => (partitions, ofPartitions) => {
    looked[flow] = { partitions, ofPartitions }
    const sum = (count: 'partitions' | 'ofPartitions') => looked.reduce((total, one) => total + one[count], 0)
    process.stderr.write(`${ERASE_LINE}${sum('partitions')} of ${sum('ofPartitions')} partitions`)
  }
}

/** @param linesTaken of the terminal, by what is not of the text */
function asText(overview: Overview, { showsAll, env }: ShowOptions, linesTaken: number): string {
  const { isTTY, columns, rows = LINES_WHEN_UNKNOWN } = process.stdout
  return statusText(overview, {
    isColoured: isTTY && !env.NO_COLOR,
    widthMax: isTTY ? columns : Number.POSITIVE_INFINITY,
    linesMax: isTTY && !showsAll ? rows - linesTaken : Number.POSITIVE_INFINITY
  })
}
