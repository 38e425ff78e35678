import { canDraw, type TextStream } from './stream.ts'

/** How far some work is, at this moment. */
export interface ProgressState {
  /** 0 to 1. */
  readonly share: number
  readonly text: string
}

export interface ProgressOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where nothing can be drawn over: a line so often, or none at all. */
  readonly linesEveryMs: number | undefined
}

const DRAW_INTERVAL_MS = 200
const BAR_CELLS = 24
const COLUMNS_WHEN_UNKNOWN = 80
const ERASE_LINE = '\r\x1b[K'

/** Shows how far some work is until it is disposed of: a bar on a terminal, elsewhere a line now and then. */
export class Progress implements Disposable {
  readonly #output: TextStream
  #isDrawing: boolean
  readonly #look: () => ProgressState
  readonly #timer: NodeJS.Timeout | undefined

  constructor(output: TextStream, look: () => ProgressState, { env, linesEveryMs }: ProgressOptions) {
    this.#output = output
    this.#look = look
    this.#isDrawing = canDraw(output, env)
    const everyMs = this.#isDrawing ? DRAW_INTERVAL_MS : linesEveryMs
    if (everyMs === undefined) return
    this.#timer = setInterval(() => this.show(), everyMs)
    this.#timer.unref()
  }

  /** Draws the bar, or writes a line, now. */
  show(): void {
    const { share, text } = this.#look()
    if (!this.#isDrawing) {
      this.#output.write(`${text}\n`)
      return
    }
    // In the last column a terminal may wrap.
    const width = (this.#output.columns ?? COLUMNS_WHEN_UNKNOWN) - 1
    this.#output.write(`${ERASE_LINE}${`${bar(share)} ${text}`.slice(0, width)}`)
  }

  /** Writes lines that stay; the bar goes on below them. */
  say(lines: string): void {
    if (this.#isDrawing) this.#output.write(ERASE_LINE)
    this.#output.write(lines)
    if (this.#isDrawing) this.show()
  }

  /** Takes the bar away, for good. */
  end(): void {
    clearInterval(this.#timer)
    if (this.#isDrawing) this.#output.write(ERASE_LINE)
    this.#isDrawing = false
  }

  [Symbol.dispose](): void {
    this.end()
  }
}

function bar(share: number): string {
  const done = Math.round(Math.min(Math.max(share, 0), 1) * BAR_CELLS)
  return `[${'#'.repeat(done)}${'.'.repeat(BAR_CELLS - done)}]`
}
