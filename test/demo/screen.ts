import { styleText } from 'node:util'

const PLAIN_INTERVAL_MS = 2_000
const COLUMNS_WHEN_UNKNOWN = 80
const ERASE_LINE = '\r\x1b[K'

/** What the status line says: in few characters where it is redrawn, in words where each is a line of its own. */
export interface Status {
  readonly drawn: string
  readonly plain: string
}

/** Standard output with one status line at its end: redrawn on a terminal, else a line every two seconds. */
export class Screen {
  readonly #output: NodeJS.WriteStream
  #isDrawn = false
  #plainAtMs = Number.NEGATIVE_INFINITY

  constructor(output: NodeJS.WriteStream) {
    this.#output = output
  }

  /** A line that stays. */
  line(text = ''): void {
    this.clear()
    this.#output.write(`${text}\n`)
  }

  /** The head of a new part. */
  head(text: string): void {
    this.line()
    this.line(this.#style('bold', text))
  }

  /** A line that says how something ended. */
  outcome(isGood: boolean, text: string): void {
    this.line(this.#style(isGood ? 'green' : 'red', text))
  }

  /** How far it is now; may be called as often as one likes. */
  status({ drawn, plain }: Status): void {
    if (this.#output.isTTY) {
      // A line longer than the terminal is wide could not be erased.
      this.#output.write(ERASE_LINE + drawn.slice(0, (this.#output.columns || COLUMNS_WHEN_UNKNOWN) - 1))
      this.#isDrawn = true
    } else if (performance.now() - this.#plainAtMs >= PLAIN_INTERVAL_MS) {
      this.#plainAtMs = performance.now()
      this.#output.write(`${plain}\n`)
    }
  }

  /** Takes the status line away. */
  clear(): void {
    if (this.#isDrawn) this.#output.write(ERASE_LINE)
    this.#isDrawn = false
  }

  #style(style: 'bold' | 'green' | 'red', text: string): string {
    return styleText(style, text, { stream: this.#output })
  }
}

/** A number as people read it: 1,234,567. */
export function inThousands(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

/** The first column to the left and the others to the right, each as wide as its widest cell. */
export function aligned(rows: readonly (readonly string[])[], leftColumns = 1): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row =>
    row
      .map((cell, column) => (column < leftColumns ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd()
  )
}
