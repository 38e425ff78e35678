import { pause } from '../cluster/retry.ts'
import { loadConfig } from '../config/load.ts'
import { FlowObserver, type OnLooked } from '../status/flow-observer.ts'
import { isComplete, type Overview } from '../status/overview.ts'
import { statusText, summaryLine } from '../status/status-text.ts'
import { onQuitKey } from '../terminal/quit-keys.ts'
import { Screen } from '../terminal/screen.ts'
import { canDraw, isColoured } from '../terminal/stream.ts'
import { defineCommand, EXIT } from './command.ts'
import { readPatterns } from './patterns.ts'
import { Count, showProgress } from './progress.ts'
import { readDuration } from './read-duration.ts'
import { UsageError } from './usage-error.ts'

const WATCH_INTERVAL = '2s'
const LINES_WHEN_UNKNOWN = 24
/** The shell's prompt below what is shown once, and the time above what is watched. */
const PROMPT_LINES = 2
const HEAD_LINES = 2

/** `farlog status`: how far each partition is mirrored, asked of the clusters themselves. */
export const command = defineCommand({
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
  RECORDS/S    with --watch: source offsets mirrored in a second since the last look
  STATE        mirrored (caught up), behind, not started, gap (the source deleted records before they were
               mirrored), recreated (the source topic is another one now), diverged (a log was cut back or
               made anew), missing (no such partition at the destination), unreachable

Options:
  --topics PATTERNS  Only these of the configured topics: comma-separated regular expressions that match
                     the whole name of the source topic.
  --watch            Again and again until q or Ctrl-C: redrawn on a terminal, otherwise a line for each flow.
  --interval DURATION
                     With --watch: from one look to the next (default: ${WATCH_INTERVAL}).
  --all              On a terminal all partitions, not only as many as fit.
  --json             One JSON object on stdout, with --watch one on each line: {"observedAt", "flows":
                     [{"source", "destination", "groupId", "workers", "problems", "totals", "exposure",
                     "partitions"}]}; null is unknown.

Exits 0, or 1 if something could not be asked: the rest is shown all the same.

Examples:
  farlog status                                is everything mirrored?
  farlog status --watch --topics 'orders.*'
  farlog status --watch --interval 10s >> status.log
  farlog status --json | jq '.flows[].exposure'`,

  options: {
    topics: { type: 'string' },
    watch: { type: 'boolean' },
    interval: { type: 'string' },
    all: { type: 'boolean' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const topics = readPatterns(values.topics)
    if (values.interval !== undefined && !values.watch) throw new UsageError('--interval needs --watch')
    const interval = { minimum: '500ms', maximum: '1h' }
    const intervalMs = readDuration('--interval', values.interval ?? WATCH_INTERVAL, interval)
    const config = loadConfig(env)
    await using observers = new AsyncDisposableStack()
    const flows = config.flows.map(flow =>
      observers.use(new FlowObserver(config, flow, { topics, nowMs: () => Date.now() }))
    )
    const options = { isJson: values.json, showsAll: values.all, env }
    return values.watch ? await watch(flows, intervalMs, options) : await showOnce(flows, options)
  }
})

interface ShowOptions {
  readonly isJson: boolean
  readonly showsAll: boolean
  readonly env: NodeJS.ProcessEnv
}

async function showOnce(flows: readonly FlowObserver[], options: ShowOptions): Promise<number> {
  const overview = await observeWithProgress(flows, options.env)
  process.stdout.write(
    options.isJson ? `${JSON.stringify(overview, null, 2)}\n` : asText(overview, options, PROMPT_LINES)
  )
  return isComplete(overview) ? EXIT.ok : EXIT.failed
}

/** Until q or Ctrl-C, which is how it is meant to end. */
async function watch(flows: readonly FlowObserver[], intervalMs: number, options: ShowOptions): Promise<number> {
  const stop = new AbortController()
  const stopped = new Promise<undefined>(resolve => stop.signal.addEventListener('abort', () => resolve(undefined)))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  using live = !options.isJson && canDraw(process.stdout, options.env) ? new LiveTable(options, stop) : undefined
  while (!stop.signal.aborted) {
    const startedAtMs = performance.now()
    // Whoever presses Ctrl-C does not wait for a cluster that does not answer.
    const observing = observe(flows, stop.signal, () => undefined)
    observing.catch(() => {})
    const overview = await Promise.race([observing, stopped])
    if (overview === undefined) break
    if (live) live.show(overview)
    else if (options.isJson) process.stdout.write(`${JSON.stringify(overview)}\n`)
    else for (const flow of overview.flows) process.stdout.write(`${overview.observedAt} ${summaryLine(flow)}\n`)
    await pause(intervalMs - (performance.now() - startedAtMs), stop.signal)
  }
  return EXIT.ok
}

/** The last look on the terminal's second screen, laid out anew when the window changes. */
class LiveTable implements Disposable {
  readonly #options: ShowOptions
  readonly #parts = new DisposableStack()
  readonly #screen: Screen
  #overview: Overview | undefined

  constructor(options: ShowOptions, stop: AbortController) {
    this.#options = options
    this.#screen = this.#parts.use(new Screen(process.stdout))
    this.#parts.use(onQuitKey(process.stdin, () => stop.abort()))
    const redraw = () => this.#draw()
    process.stdout.on('resize', redraw)
    this.#parts.defer(() => void process.stdout.off('resize', redraw))
    this.#screen.draw('asking both clusters …\n')
  }

  show(overview: Overview): void {
    this.#overview = overview
    this.#draw()
  }

  [Symbol.dispose](): void {
    this.#parts.dispose()
  }

  #draw(): void {
    if (this.#overview === undefined) return
    const head = `${this.#overview.observedAt}   q to quit`
    this.#screen.draw(`${head}\n\n${asText(this.#overview, this.#options, HEAD_LINES)}`)
  }
}

/** Hears how far the look at a flow is, by its place among the flows. */
type OnFlowLooked = (flow: number) => OnLooked | undefined

async function observe(flows: readonly FlowObserver[], signal: AbortSignal, onLooked: OnFlowLooked): Promise<Overview> {
  const observedAt = new Date().toISOString()
  return { observedAt, flows: await Promise.all(flows.map((flow, index) => flow.observe(signal, onLooked(index)))) }
}

async function observeWithProgress(flows: readonly FlowObserver[], env: NodeJS.ProcessEnv): Promise<Overview> {
  const count = new Count('partitions looked at')
  const looked = flows.map(() => ({ partitions: 0, ofPartitions: 0 }))
  const sum = (what: 'partitions' | 'ofPartitions') => looked.reduce((total, one) => total + one[what], 0)
  using _ = showProgress(env, count.state)
  return await observe(flows, new AbortController().signal, flow => (partitions, ofPartitions) => {
    looked[flow] = { partitions, ofPartitions }
    count.reached(sum('partitions'), sum('ofPartitions'))
  })
}

/** @param linesTaken of the terminal, by what is not of the text */
function asText(overview: Overview, { showsAll, env }: ShowOptions, linesTaken: number): string {
  const { isTTY, columns, rows = LINES_WHEN_UNKNOWN } = process.stdout
  return statusText(overview, {
    isColoured: isColoured(process.stdout, env),
    widthMax: isTTY ? columns : Number.POSITIVE_INFINITY,
    linesMax: isTTY && !showsAll ? rows - linesTaken : Number.POSITIVE_INFINITY
  })
}
