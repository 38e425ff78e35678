import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parse, stringify } from 'yaml'
import { freePorts } from '../../support/free-port.ts'
import { ownFolder, spawnOwned } from '../../support/owned-process.ts'
import { GiveUp, until } from '../../support/wait.ts'

/** The samples of one series. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly number[]
}

/** A rule as Prometheus has evaluated it. */
export interface EvaluatedRule {
  readonly name: string
  readonly type: 'recording' | 'alerting'
  readonly health: string
  readonly lastError?: string
  readonly state?: 'inactive' | 'pending' | 'firing'
  readonly alerts?: readonly {
    readonly state: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }[]
}

interface Vector {
  readonly result: readonly { readonly metric: Series['metric']; readonly value: readonly [number, string] }[]
}

interface Matrix {
  readonly result: readonly { readonly metric: Series['metric']; readonly values: readonly [number, string][] }[]
}

interface PrometheusOptions {
  /** Text of the configuration to start from; intervals, rules and targets are set. */
  readonly config: string
  readonly rules: string
  /** `host:port` of what is scraped. */
  readonly targets: readonly string[]
}

/** Between two scrapes, and two evaluations of the rules. */
const INTERVAL = '1s'

/** A real Prometheus on a port and in a folder of its own. `await using` ends it. */
export class Prometheus implements AsyncDisposable {
  /** What it has logged, warnings and errors; the last lines. */
  readonly complaints: string[] = []
  readonly #url: string
  readonly #startedAtSeconds = Date.now() / 1000
  readonly #process: ReturnType<typeof spawnOwned>
  readonly #folder: ReturnType<typeof ownFolder>

  static async start({ config, rules, targets }: PrometheusOptions): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'farlog-prometheus-'))
    const [port] = await freePorts(1)
    writeFileSync(join(dir, 'rules.yaml'), rules)
    writeFileSync(join(dir, 'prometheus.yml'), stringify(onThisMachine(parse(config), targets)))
    const prometheus = new Prometheus(dir, port!)
    await prometheus.#ready()
    return prometheus
  }

  private constructor(dir: string, port: number) {
    this.#folder = ownFolder(dir)
    this.#url = `http://127.0.0.1:${port}`
    this.#process = spawnOwned(
      [
        'prometheus',
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn'
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] }
    )
    createInterface(this.#process.child.stderr!).on('line', line => {
      this.complaints.push(line)
      if (this.complaints.length > 100) this.complaints.shift()
    })
  }

  /** What an expression is at this moment. */
  async now(expr: string): Promise<Series[]> {
    const { result } = await this.#get<Vector>('query', { query: expr })
    return result.map(({ metric, value }) => ({ metric, values: [Number(value[1])] }))
  }

  /** What it was at each second since Prometheus was started, up to this moment. */
  async sinceStart(expr: string): Promise<Series[]> {
    const end = Date.now() / 1000
    const start = end - Math.floor(end - this.#startedAtSeconds)
    const asked = { query: expr, start: start.toFixed(3), end: end.toFixed(3), step: '1s' }
    const { result } = await this.#get<Matrix>('query_range', asked)
    return result.map(({ metric, values }) => ({ metric, values: values.map(([, value]) => Number(value)) }))
  }

  /** The values that a label has among the series of a selector. */
  labelValues(selector: string, label: string): Promise<string[]> {
    return this.#get(`label/${label}/values`, { 'match[]': selector })
  }

  async rules(): Promise<EvaluatedRule[]> {
    const { groups } = await this.#get<{ groups: { rules: EvaluatedRule[] }[] }>('rules', {})
    return groups.flatMap(({ rules }) => rules)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop(5_000)
    this.#folder.remove()
  }

  async #ready(): Promise<void> {
    const ready = async () => {
      if (!this.#process.isRunning()) throw new GiveUp(`Prometheus ended:\n${this.complaints.join('\n')}`)
      return (await fetch(`${this.#url}/-/ready`)).ok
    }
    try {
      await until(ready, { describe: 'Prometheus to be ready' })
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  async #get<T>(path: string, query: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(query)}`)
    const body = (await response.json()) as { status: string; data: T; error?: string }
    if (body.status !== 'success') throw new Error(`Prometheus refuses ${JSON.stringify(query)}: ${body.error}`)
    return body.data
  }
}

interface Config {
  global: Record<string, string>
  rule_files: string[]
  scrape_configs: Record<string, unknown>[]
}

/** The example as it is, but for what only the place knows. */
function onThisMachine(config: Config, targets: readonly string[]): Config {
  const { dns_sd_configs: _, ...job } = config.scrape_configs[0]!
  return {
    global: { ...config.global, scrape_interval: INTERVAL, evaluation_interval: INTERVAL },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ ...job, static_configs: [{ targets }] }]
  }
}
