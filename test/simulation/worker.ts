/**
 * A worker: the production classes of the data plane over a simulated network, and in place of the control plane (which is
 * librdkafka's) the little that decides: the partition is mirrored from when the group gives it until the group takes it,
 * progress is committed now and then and at the hand-over.
 */
import { LATEST, listOffsets } from '../../src/cluster/offsets.ts'
import { Dispatcher } from '../../src/destination/dispatcher.ts'
import { Fence } from '../../src/destination/fence.ts'
import type { LoggedOrder } from '../../src/events/event-log.ts'
import { FlowOrders } from '../../src/events/flow-orders.ts'
import type { FlowContext } from '../../src/flow/flow-context.ts'
import { Latencies } from '../../src/flow/latencies.ts'
import type { Progress } from '../../src/flow/messages.ts'
import { PartitionMirror } from '../../src/flow/partition-mirror.ts'
import { Permits } from '../../src/flow/permits.ts'
import { fromCommit, toCommit } from '../../src/flow/progress-metadata.ts'
import { StandingOrders } from '../../src/flow/standing-orders.ts'
import { BufferPool } from '../../src/records/buffer-pool.ts'
import { BufferedBytes } from '../../src/source/buffered-bytes.ts'
import { SourceReader } from '../../src/source/source-reader.ts'
import type { Group, Member } from './group.ts'
import type { Brokers, Network } from './network.ts'
import type { OrderLog } from './order-log.ts'
import { PARTITION } from './partition-brokers.ts'
import { Process, type Scheduler } from './scheduler.ts'
import { SimulatedCluster } from './simulated-cluster.ts'

export interface WorkerOptions {
  readonly name: string
  readonly scheduler: Scheduler
  readonly network: Network
  readonly group: Group
  readonly source: Brokers & { readonly topic: string }
  readonly destination: Brokers & { readonly topic: string }
  readonly orders: OrderLog
  readonly delivery: FlowContext['delivery']
  readonly roundTripMs: number
  readonly batchBytesMax: number
  /** How far behind the copy is kept on purpose. */
  readonly delayMs: number
  /** Progress has moved on. */
  progressed(worker: Worker, progress: Progress): void
  log(worker: Worker, message: string, fields: unknown): void
}

const COMMIT_INTERVAL_MS = 1_000
const DRAIN_MS = 2_000
const LOOK_INTERVAL_MS = 500
const PERMITS = 64
const ORDERS_INTERVAL_MS = 700
/** Small, so that buffers are used again at once. */
const POOL_BYTES_MAX = 64 * 1024

export class Worker implements Member {
  readonly process: Process
  readonly #options: WorkerOptions
  readonly #context: FlowContext
  #mirror: PartitionMirror | undefined
  #generation = -1
  #lastSeen: Progress | undefined
  #lastCommitted: number | undefined
  #committing: Promise<void> = Promise.resolve()
  /** Read apart from what partitions ask for, as the main thread does. */
  readonly #orders: FlowOrders
  #orderPassedOn: LoggedOrder | undefined
  /** Since when it has nothing to do, by its own reckoning; `undefined` while it owns the partition. */
  idleSinceMs: number | undefined = 0

  constructor(options: WorkerOptions) {
    this.#options = options
    this.process = new Process(options.name)
    this.#context = this.#createContext()
    this.#orders = new FlowOrders(options.destination.alias)
  }

  start(): void {
    this.#options.group.join(this)
    this.#scheduleCommit()
    this.#scheduleOrders()
    if (this.#options.delayMs > 0) this.#scheduleLook()
  }

  assigned(generation: number): void {
    this.#generation = generation
    void this.#begin(generation)
  }

  revoked(isLost: boolean, released: () => void): void {
    void this.#letGo(isLost).then(released)
  }

  /** The newest order that it has heard of. */
  get orderHeard(): LoggedOrder | undefined {
    return this.#orderPassedOn
  }

  /** Shows progress when it has moved on. */
  look(): void {
    const progress = this.#mirror?.progress
    if (progress === undefined || progress === this.#lastSeen) return
    this.#lastSeen = progress
    this.#options.progressed(this, progress)
  }

  async #begin(generation: number): Promise<void> {
    const { group, source, destination, batchBytesMax } = this.#options
    const committed = await group.read(this.process)
    if (this.#generation !== generation) return
    const mirror = new PartitionMirror(this.#context, {
      topic: source.topic,
      partition: PARTITION,
      destinationTopic: destination.topic,
      batchBytesMax,
      progress: committed && fromCommit(committed)
    })
    // Never two of one partition, also when it comes back before it was let go.
    void this.#mirror?.release(0)
    this.#mirror = mirror
    this.idleSinceMs = undefined
    this.#lastCommitted = committed?.offset
    await Promise.all([
      this.#context.source.refresh([source.topic]).catch(() => {}),
      this.#context.destination.refresh([destination.topic]).catch(() => {})
    ])
    void mirror.run()
  }

  async #letGo(isLost: boolean): Promise<void> {
    const generation = this.#generation
    // A hand-over that is asked for while progress is being loaded ends it.
    this.#generation = -1
    const mirror = this.#mirror
    const progress = await mirror?.release(isLost ? 0 : DRAIN_MS)
    if (this.#mirror === mirror) {
      this.look()
      this.#mirror = undefined
      this.idleSinceMs = this.#options.scheduler.nowMs
    }
    if (isLost || progress === undefined) return
    await this.#committing
    await this.#commit(generation, progress)
  }

  #scheduleCommit(): void {
    this.#options.scheduler.schedule(this.process, COMMIT_INTERVAL_MS, () => {
      this.#scheduleCommit()
      const progress = this.#mirror?.progress
      if (progress === undefined || this.#generation < 0) return
      const generation = this.#generation
      this.#committing = this.#committing.then(() => this.#commit(generation, progress))
    })
  }

  /** As the flow has it: where the source ends is asked for where no fetch tells it. */
  #scheduleLook(): void {
    this.#options.scheduler.schedule(this.process, LOOK_INTERVAL_MS, () => {
      this.#scheduleLook()
      void this.#look()
    })
  }

  async #look(): Promise<void> {
    const mirror = this.#mirror
    if (mirror === undefined || mirror.answeredAtMs !== undefined) return
    const [listed] = await listOffsets(this.#context.source, [mirror], LATEST, 'read_committed')
    if (listed?.error === 'NONE') mirror.sourceEndSeen(listed.offset, performance.now())
  }

  async #commit(generation: number, progress: Progress): Promise<void> {
    if (progress.nextSourceOffset === this.#lastCommitted) return
    const { group, source } = this.#options
    const commit = toCommit({ topic: source.topic, partition: PARTITION }, progress)
    try {
      await group.commit(this.process, generation, commit)
      this.#lastCommitted = progress.nextSourceOffset
    } catch {
      // The next one tells more.
    }
  }

  /** The world is over. */
  end(): void {
    void this.#mirror?.release(0)
  }

  /** Hears of orders for what is under way. */
  #scheduleOrders(): void {
    this.#options.scheduler.schedule(this.process, ORDERS_INTERVAL_MS, () => void this.#lookAtOrders())
  }

  async #lookAtOrders(): Promise<void> {
    try {
      this.#orders.note(await this.#options.orders.read(this.process))
    } catch {
      // The next look tells.
    }
    const { newest, stop } = this.#orders
    if (newest !== undefined && newest !== this.#orderPassedOn) {
      this.#orderPassedOn = newest
      this.#context.orders.hear(newest)
      if (stop !== undefined) void this.#mirror?.stop(stop, DRAIN_MS)
      else this.#mirror?.goOn(undefined)
    }
    this.#scheduleOrders()
  }

  #createContext(): FlowContext {
    const { orders, network, source, destination, roundTripMs, delivery, delayMs, log } = this.#options
    const destinationCluster = new SimulatedCluster(network, this.process, destination, roundTripMs)
    const sourceCluster = new SimulatedCluster(network, this.process, source, roundTripMs)
    // A process that ends does not tidy up.
    const { signal } = new AbortController()
    const note = (message: string, fields: unknown) => log(this, message, fields)
    return {
      source: sourceCluster,
      destination: destinationCluster,
      delivery,
      start: 'earliest',
      onGap: 'halt',
      codec: undefined,
      pool: new BufferPool(POOL_BYTES_MAX),
      reader: new SourceReader({
        cluster: sourceCluster,
        signal,
        hasRoom: () => true,
        destinationRoundTripMs: () => 0,
        hasRoomToRewrite: () => true,
        isOrdered: true,
        retrying: error => note('fetch failed', error)
      }),
      dispatcher: new Dispatcher(
        destinationCluster,
        { retrying: (_writer, error) => note('produce failed', error) },
        signal
      ),
      buffered: new BufferedBytes(Number.POSITIVE_INFINITY, 1),
      delayMs,
      fence: new Fence(destinationCluster),
      orders: new StandingOrders({
        destination: destination.alias,
        readLog: () => orders.read(this.process),
        refused: error => note('orders refused', error)
      }),
      establishing: new Permits(PERMITS),
      latencies: new Latencies(),
      fenced: () => note('fenced', {}),
      troubled: report => note('troubled', report),
      retrying: (operation, error) => note(`${operation} failed`, error),
      log: (level, message, fields) => note(`${level}: ${message}`, fields)
    }
  }
}
