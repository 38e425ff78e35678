import type { TextStream } from './stream.ts'

/** Second screen, no cursor, and no wrapping: a line that is too long must not take the place of another. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const ERASE_REST_OF_LINE = '\x1b[K'
const ERASE_BELOW = '\x1b[J'

/**
 * A terminal's second screen, redrawn in place. Leaving it brings back what was there before, the cursor too, and puts
 * the last drawing below it.
 */
export class Screen implements Disposable {
  readonly #terminal: TextStream
  #last = ''

  constructor(terminal: TextStream) {
    this.#terminal = terminal
    terminal.write(ENTER)
  }

  /** Draws over what was there; lines that do not fit below are left out, or the screen would scroll. */
  draw(text: string): void {
    this.#last = text
    const lines = text.trimEnd().split('\n')
    const shown = lines.slice(0, this.#terminal.rows ?? lines.length)
    this.#terminal.write(HOME + shown.map(line => line + ERASE_REST_OF_LINE).join('\n') + ERASE_BELOW)
  }

  [Symbol.dispose](): void {
    this.#terminal.write(LEAVE + this.#last)
  }
}
