/**
 * Connections between workers and brokers. On each of them requests arrive, are served one after the other and are answered
 * in order, as brokers do; different ones overtake one another at will. What becomes of a request is its fate (`weather.ts`).
 */
import { brokerError, ClusterError } from '../../src/cluster/errors.ts'
import { codeOf } from './kafka-errors.ts'
import { API, type Reply, type Request } from './requests.ts'
import type { Process, Scheduler } from './scheduler.ts'
import type { Fate } from './weather.ts'

/** One side's brokers, behind the network. */
export interface Brokers {
  readonly alias: string
  readonly nodeIds: readonly number[]
  isUp(nodeId: number): boolean
  /** Does what is asked for and calls `answer` once, at once or later. */
  serve(nodeId: number, request: Request, answer: (reply: Reply) => void): void
  /** Answers with an error that this request may get, without doing anything. */
  refusal(request: Request): Reply
  /** Answers with an error that may come although the request was done; `undefined` where there is none. */
  refusalAfter(request: Request): Reply | undefined
}

export interface NetworkOptions {
  readonly scheduler: Scheduler
  /** How long a message is under way. */
  delayMs(): number
  /** How long one is under way that has got stuck somewhere. */
  lateMs(): number
  fateOf(request: Request): Fate
  /** Whether what is written but not sent when a process dies is sent all the same. */
  survivesCrash(): boolean
  readonly watch: NetworkWatch
}

/** Told of everything that is sent and answered. */
export interface NetworkWatch {
  sent(process: Process, request: Request): void
  /** The sender heard the answer, or that there will be none. */
  settled(process: Process, request: Request): void
  happened(process: Process, brokers: Brokers, nodeId: number, request: Request, what: string): void
}

export class Network {
  readonly options: NetworkOptions
  readonly #connections = new Set<SimulatedConnection>()
  /** Requests that are stuck somewhere and will still arrive. */
  late = 0
  /** Connections that are being opened, perhaps for a request that waits. */
  #opening = 0

  constructor(options: NetworkOptions) {
    this.options = options
  }

  /** Connects, after a moment. @throws ClusterError `UNREACHABLE` where the broker is down */
  connect(process: Process, brokers: Brokers, nodeId: number): Promise<SimulatedConnection> {
    const delayMs = this.options.delayMs() * 2
    this.#opening++
    this.options.scheduler.schedule(undefined, delayMs, () => {
      this.#opening--
    })
    return new Promise((resolve, reject) => {
      this.options.scheduler.schedule(process, delayMs, () => {
        if (!brokers.isUp(nodeId)) {
          reject(new ClusterError('UNREACHABLE', `${brokers.alias} broker ${nodeId} is down`, true))
          return
        }
        const connection = new SimulatedConnection(this, process, brokers, nodeId)
        this.#connections.add(connection)
        resolve(connection)
      })
    })
  }

  /** No batch is on its way, nor about to be: what is sent again was not sent before this moment. */
  get isWithoutBatches(): boolean {
    return this.late === 0 && this.#opening === 0 && [...this.#connections].every(each => !each.carriesBatch)
  }

  /** Breaks all connections to a broker. */
  cutBroker(brokers: Brokers, nodeId: number): void {
    for (const connection of this.#connections) {
      if (connection.brokers === brokers && connection.nodeId === nodeId) connection.cut()
    }
  }

  /** A process is gone: of what it has written to its connections some may still be sent. */
  cutProcess(process: Process): void {
    for (const connection of this.#connections) {
      if (connection.process !== process) continue
      if (!this.options.survivesCrash()) connection.cut()
      this.#connections.delete(connection)
    }
  }

  forget(connection: SimulatedConnection): void {
    this.#connections.delete(connection)
  }
}

interface Exchange {
  readonly request: Request
  readonly fate: Fate
  resolve(value: unknown): void
  reject(error: ClusterError): void
}

/** What of BrokerConnection and BatchConnection is used. */
export class SimulatedConnection {
  readonly process: Process
  readonly brokers: Brokers
  readonly nodeId: number
  readonly #network: Network
  isOpen = true
  /** Sent, and the sender has heard nothing of it. */
  #unanswered: Exchange[] = []
  /** Arrived, and waiting for the one before to be answered. */
  readonly #arrived: Exchange[] = []
  #isServing = false
  #lastArrivalMs = 0
  #lastAnswerMs = 0

  constructor(network: Network, process: Process, brokers: Brokers, nodeId: number) {
    this.#network = network
    this.process = process
    this.brokers = brokers
    this.nodeId = nodeId
  }

  get carriesBatch(): boolean {
    return this.#unanswered.some(({ request }) => request.apiKey === API.produce)
  }

  call(api: { readonly key: number }, ...args: unknown[]): Promise<unknown> {
    return this.#send({ apiKey: api.key, args, body: Buffer.alloc(0) })
  }

  async request(api: { readonly key: number }, body: readonly Buffer[]): Promise<{ bytes: Buffer; release(): void }> {
    // The bytes leave now: their memory may serve another batch before they arrive.
    const bytes = await this.#send({ apiKey: api.key, args: [], body: Buffer.concat(body) })
    return { bytes: bytes as Buffer, release: () => {} }
  }

  throttled(): void {}

  /** Breaks the connection: what has not arrived never does, and the sender hears of it. */
  cut(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#arrived.length = 0
    this.#network.forget(this)
    const { scheduler, delayMs } = this.#network.options
    const failed = this.#unanswered
    this.#unanswered = []
    if (failed.length === 0) return
    scheduler.schedule(this.process, delayMs(), () => {
      for (const exchange of failed) {
        this.#network.options.watch.settled(this.process, exchange.request)
        exchange.reject(new ClusterError('UNREACHABLE', `broker ${this.nodeId}: connection closed`, true))
      }
    })
  }

  #send(request: Request): Promise<unknown> {
    const { scheduler, delayMs, fateOf, watch } = this.#network.options
    return new Promise((resolve, reject) => {
      if (!this.isOpen) throw new ClusterError('UNREACHABLE', `broker ${this.nodeId}: connection closed`, true)
      const exchange = { request, fate: fateOf(request), resolve, reject }
      this.#unanswered.push(exchange)
      watch.sent(this.process, request)
      this.#lastArrivalMs = Math.max(this.#lastArrivalMs, scheduler.nowMs + delayMs())
      scheduler.schedule(undefined, this.#lastArrivalMs - scheduler.nowMs, () => this.#arrive(exchange))
    })
  }

  #arrive(exchange: Exchange): void {
    if (!this.isOpen) return
    this.#arrived.push(exchange)
    this.#serveNext()
  }

  #serveNext(): void {
    if (this.#isServing) return
    const exchange = this.#arrived.shift()
    if (exchange === undefined) return
    const { request, fate } = exchange
    if (fate !== 'answered') this.#note(request, fate)
    switch (fate) {
      case 'cut-before':
        this.cut()
        return
      case 'cut-late':
        this.#serveLate(request)
        this.cut()
        return
      case 'refused':
        this.#answer(exchange, this.brokers.refusal(request))
        this.#serveNext()
        return
      case 'twice':
        if (request.apiKey === API.produce) this.#serveLate(request)
    }
    this.#isServing = true
    this.brokers.serve(this.nodeId, request, reply => {
      this.#isServing = false
      this.#note(request, 'error' in reply ? reply.error : 'done')
      if (!this.isOpen) return
      if (fate === 'cut-after') this.cut()
      else this.#answer(exchange, (fate === 'done-but-refused' && this.brokers.refusalAfter(request)) || reply)
      this.#serveNext()
    })
  }

  #serveLate(request: Request): void {
    const { scheduler, lateMs } = this.#network.options
    this.#network.late++
    scheduler.schedule(undefined, lateMs(), () => {
      this.#network.late--
      this.#note(request, 'arrives late')
      this.brokers.serve(this.nodeId, request, () => {})
    })
  }

  #answer(exchange: Exchange, reply: Reply): void {
    const { scheduler, delayMs, watch } = this.#network.options
    this.#lastAnswerMs = Math.max(this.#lastAnswerMs, scheduler.nowMs + delayMs())
    scheduler.schedule(this.process, this.#lastAnswerMs - scheduler.nowMs, () => {
      const at = this.#unanswered.indexOf(exchange)
      // The connection broke meanwhile.
      if (at < 0) return
      this.#unanswered.splice(at, 1)
      watch.settled(this.process, exchange.request)
      if ('value' in reply) exchange.resolve(reply.value)
      else exchange.reject(brokerError(codeOf(reply.error), `${this.brokers.alias} broker ${this.nodeId}`))
    })
  }

  #note(request: Request, what: string): void {
    this.#network.options.watch.happened(this.process, this.brokers, this.nodeId, request, what)
  }
}
