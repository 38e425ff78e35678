import { type FarlogProcess, startFarlog } from '../support/farlog-process.ts'

/** One process of farlog, from its start to its end. */
export interface WorkerLife {
  /** As "worker 1, life 3". */
  readonly name: string
  readonly process: FarlogProcess
  isPaused: boolean
  /** It has been told to end, or ended. */
  isOver: boolean
}

/** How long a worker may take to end in order, on a busy machine and with a broker away. */
const STOP_TIMEOUT_MS = 60_000

/** The workers of one group, by number: each number has one life at a time. */
export class Workers implements AsyncDisposable {
  /** Of all there have been. */
  readonly lives: WorkerLife[] = []
  /** Workers that ended when nobody had asked them to, or did not when they were. */
  readonly #troubles: string[] = []
  readonly #env: Readonly<Record<string, string>>
  readonly #current = new Map<number, WorkerLife>()

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env
  }

  /** Those that run and are not paused. */
  get awake(): WorkerLife[] {
    return [...this.#current.values()].filter(({ isPaused, isOver }) => !isPaused && !isOver)
  }

  /** What no worker should ever do: end by itself, not end when it is told to, print what is no log line. */
  get troubles(): string[] {
    const printed = this.lives.flatMap(({ name, process }) =>
      // The last line of one that was killed may be half a log line.
      process.otherOutput.filter(line => !line.startsWith('{')).map(line => `${name} printed: ${line}`)
    )
    return [...this.#troubles, ...printed]
  }

  get numbers(): number[] {
    return [...this.#current.keys()]
  }

  async start(worker: number): Promise<void> {
    const lifeNumber = this.lives.filter(({ name }) => name.startsWith(`worker ${worker},`)).length + 1
    const process = await startFarlog(this.#env)
    const life: WorkerLife = { name: `worker ${worker}, life ${lifeNumber}`, process, isPaused: false, isOver: false }
    this.lives.push(life)
    this.#current.set(worker, life)
    void process.exit.then(({ code, signal }) => {
      if (!life.isOver) this.#troubles.push(`${life.name} ended by itself with ${code ?? signal}`)
      life.isOver = true
    })
  }

  async kill(worker: number): Promise<void> {
    const life = this.#take(worker)
    life.process.kill('SIGKILL')
    await life.process.exit
  }

  /** Asks it to end, and sees that it does. */
  async stop(worker: number): Promise<void> {
    const { name, process } = this.#take(worker)
    process.kill('SIGTERM')
    const timer = setTimeout(() => {
      this.#troubles.push(`${name} had not ended ${STOP_TIMEOUT_MS / 1000} s after SIGTERM`)
      process.kill('SIGKILL')
    }, STOP_TIMEOUT_MS)
    const { code } = await process.exit
    clearTimeout(timer)
    if (code !== null && code !== 0) this.#troubles.push(`${name} ended with ${code} after SIGTERM`)
  }

  pause(worker: number): void {
    const life = this.#current.get(worker)!
    life.isPaused = true
    life.process.kill('SIGSTOP')
  }

  wake(worker: number): void {
    const life = this.#current.get(worker)!
    life.isPaused = false
    life.process.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#current.keys()].map(worker => this.kill(worker)))
  }

  #take(worker: number): WorkerLife {
    const life = this.#current.get(worker)!
    this.#current.delete(worker)
    life.isOver = true
    return life
  }
}
