import { partitionKey } from '../cluster/offsets.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import type { Page, Reply } from '../observe/http.ts'
import type { FlowStatus, WorkerStatus } from '../observe/status.ts'
import { type Assets, loadAssets } from './assets.ts'
import { type FlowNow, FlowPage, type Moment, SAMPLE_INTERVAL_MS } from './flow-page.ts'
import type { GroupLooker } from './group-look.ts'
import { GroupWatch } from './group-watch.ts'
import { type PageView, ROW_FILTERS, type RowFilter, type RowQuery } from './page-view.ts'
import { worstOf } from './verdict.ts'

export interface WorkerPageOptions {
  readonly config: Pick<Config, 'delayMs' | 'stallTimeoutMs' | 'flows'>
  readonly clientId: string
  status(): WorkerStatus
  /** Makes what looks at a flow's group from outside. */
  newLooker(flow: FlowConfig): GroupLooker
}

/** However many look, and however often: the rows of thousands of partitions are put in order once in this time. */
const NOW_MAX_AGE_MS = 1_000
const SEARCH_LENGTH_MAX = 200

interface FlowParts {
  readonly page: FlowPage
  readonly watch: GroupWatch
}

interface WorkerNow {
  readonly status: WorkerStatus
  readonly moment: Moment
  readonly flows: readonly FlowNow[]
}

/** The page at `/`, its files, and `/api/page`, which tells it what to show. */
export class WorkerPage implements Page {
  readonly #options: WorkerPageOptions
  readonly #assets: Assets = loadAssets()
  readonly #flows: readonly FlowParts[]
  readonly #sampling: NodeJS.Timeout
  #now: WorkerNow | undefined

  constructor(options: WorkerPageOptions) {
    this.#options = options
    const { config, clientId } = options
    this.#flows = config.flows.map((flow, index) => {
      const page = new FlowPage(config, clientId)
      const watch = new GroupWatch({
        newLooker: () => options.newLooker(flow),
        ownKeys: () => ownKeys(options.status().flows[index]),
        seen: last => {
          page.seen(last)
          this.#now = undefined
        }
      })
      return { page, watch }
    })
    this.#sampling = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS)
    this.#sample()
  }

  answer(path: string, query: URLSearchParams): Reply | undefined {
    if (path !== '/api/page') return this.#assets.get(path)
    return { status: 200, type: 'application/json; charset=utf-8', body: JSON.stringify(this.#view(query)) }
  }

  async close(): Promise<void> {
    clearInterval(this.#sampling)
    await Promise.all(this.#flows.map(({ watch }) => watch.close()))
  }

  #view(query: URLSearchParams): PageView {
    for (const { watch } of this.#flows) watch.want()
    const { status, flows, moment } = this.#current()
    const views = flows.map((now, index) => {
      const { page, watch } = this.#flows[index]!
      return page.view(now, watch.trouble, rowQueryIn(query, index), moment)
    })
    return {
      version: status.version,
      worker: this.#options.clientId,
      startedAt: status.startedAt,
      nowMs: moment.wallNowMs,
      verdict: worstOf(views),
      flows: views
    }
  }

  /** What is known now, or was a moment ago. */
  #current(): WorkerNow {
    const moment = { nowMs: performance.now(), wallNowMs: Date.now() }
    const last = this.#now
    if (last !== undefined && moment.nowMs - last.moment.nowMs < NOW_MAX_AGE_MS) return last
    const status = this.#options.status()
    const flows = status.flows.map((flow, index) => this.#flows[index]!.page.now(flow, moment))
    this.#now = { status, moment, flows }
    return this.#now
  }

  #sample(): void {
    const moment = { nowMs: performance.now(), wallNowMs: Date.now() }
    const { flows } = this.#options.status()
    for (const [index, flow] of flows.entries()) this.#flows[index]!.page.sample(flow, moment)
    // Ten thousand rows that nobody looks at need not be kept.
    this.#now = undefined
  }
}

function ownKeys(flow: FlowStatus | undefined): Set<string> {
  return new Set(flow?.partitions.map(partitionKey))
}

/** Which rows of a flow somebody asks for; what makes no sense is taken as not said. */
function rowQueryIn(query: URLSearchParams, flow: number): RowQuery {
  const filter = query.get(`show.${flow}`) as RowFilter
  const page = Number(query.get(`page.${flow}`) ?? 0)
  return {
    filter: ROW_FILTERS.includes(filter) ? filter : 'all',
    search: (query.get(`search.${flow}`) ?? '').slice(0, SEARCH_LENGTH_MAX),
    page: Number.isSafeInteger(page) && page > 0 ? page : 0
  }
}
