/** Progress of the commands that take long, on stderr: stdout is for what was asked for. */
import { inThousands } from '../terminal/amounts.ts'
import { Progress, type ProgressState } from '../terminal/progress.ts'
import { canDraw } from '../terminal/stream.ts'

const LINE_INTERVAL_MS = 5_000

/** A bar on a terminal, elsewhere a line every 5 s. */
export function showProgress(env: NodeJS.ProcessEnv, look: () => ProgressState): Progress {
  return new Progress(process.stderr, look, { env, linesEveryMs: LINE_INTERVAL_MS })
}

/** So many of so many: partitions, offsets. */
export class Count {
  readonly #noun: string
  #done = 0
  #of = 0

  constructor(noun: string) {
    this.#noun = noun
  }

  /** Says how many there are and how many of them are done. */
  readonly reached = (done: number, of: number): void => {
    this.#done = done
    this.#of = of
  }

  readonly state = (): ProgressState => ({
    share: this.#of === 0 ? 0 : this.#done / this.#of,
    text: `${inThousands(this.#done)} of ${inThousands(this.#of)} ${this.#noun}`
  })
}

/** Work in steps: each says a line, and on a terminal a bar below them tells that it is still at work. */
export class Steps<Step extends string> implements Disposable {
  readonly #steps: readonly Step[]
  readonly #width: number
  readonly #env: NodeJS.ProcessEnv
  readonly #progress: Progress
  readonly #startedAtMs = performance.now()
  #reached = 0
  #within: (() => ProgressState) | undefined

  constructor(steps: readonly Step[], env: NodeJS.ProcessEnv) {
    this.#steps = steps
    this.#env = env
    this.#width = Math.max(...steps.map(({ length }) => length))
    this.#progress = new Progress(process.stderr, () => this.#state(), { env, linesEveryMs: undefined })
  }

  readonly say = (step: Step, what: string): void => {
    const number = this.#steps.indexOf(step) + 1
    this.#reached = Math.max(this.#reached, number)
    this.#progress.say(`${number}/${this.#steps.length}  ${step.padEnd(this.#width)}  ${what}\n`)
  }

  /** Shows how far a step itself is, until that is disposed of. */
  within(look: () => ProgressState): Disposable {
    // Where there is no bar to put it into, it has lines of its own.
    const lines = canDraw(process.stderr, this.#env) ? undefined : showProgress(this.#env, look)
    this.#within = look
    return {
      [Symbol.dispose]: () => {
        this.#within = undefined
        lines?.[Symbol.dispose]()
      }
    }
  }

  /** Nothing more is to come. */
  end(): void {
    this.#progress.end()
  }

  [Symbol.dispose](): void {
    this.end()
  }

  #state(): ProgressState {
    const count = `${this.#reached}/${this.#steps.length}`
    if (this.#within !== undefined) {
      const { share, text } = this.#within()
      return { share, text: `${count}  ${text}` }
    }
    const seconds = Math.round((performance.now() - this.#startedAtMs) / 1000)
    return { share: this.#reached / this.#steps.length, text: `${count}  ${seconds} s` }
  }
}
