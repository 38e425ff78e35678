/** Takes what an operator should read. */
export type Log = (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void

/** What does not pass is said again after this. */
const REPEAT_INTERVAL_MS = 10 * 60_000
/** Topics come and go; of more troubles than that the oldest are forgotten, and said again where they last. */
const TROUBLES_MAX = 10_000

interface Complaint {
  readonly text: string
  readonly saidAtMs: number
}

/**
 * Troubles that are met again at every refresh, of which the log should not be full: each is said once, again when it
 * changes, and again when it has lasted for long.
 */
export class Complaints {
  readonly #log: Log
  readonly #nowMs: () => number
  readonly #said = new Map<string, Complaint>()

  constructor(log: Log, nowMs: () => number = () => performance.now()) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** @param about what it is about: of each there is one trouble at a time */
  say(
    about: string,
    level: 'info' | 'warn' | 'error',
    message: string,
    fields: Readonly<Record<string, unknown>>
  ): void {
    const text = JSON.stringify([message, fields])
    const said = this.#said.get(about)
    const nowMs = this.#nowMs()
    if (said?.text === text && nowMs - said.saidAtMs < REPEAT_INTERVAL_MS) return
    this.#said.delete(about)
    this.#said.set(about, { text, saidAtMs: nowMs })
    if (this.#said.size > TROUBLES_MAX) this.#said.delete(this.#said.keys().next().value!)
    this.#log(level, message, fields)
  }

  /** It has passed: were it to come back, that would be news. */
  settle(about: string): void {
    this.#said.delete(about)
  }
}
