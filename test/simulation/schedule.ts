/**
 * One schedule: two clusters, some workers, and what happens to them, all of it drawn from one seed. It ends well when,
 * some time after the last fault, everything is copied and progress says so.
 */

import { SeededRandom } from '../support/seeded-random.ts'
import { DestinationBrokers } from './destination-brokers.ts'
import { Group } from './group.ts'
import { Judge } from './judge.ts'
import { type Brokers, Network } from './network.ts'
import { OrderLog } from './order-log.ts'
import { API, batchInProduceRequest, type Request, stampOf } from './requests.ts'
import { type Process, Scheduler } from './scheduler.ts'
import { SourceBrokers } from './source-brokers.ts'
import { SourceLog } from './source-log.ts'
import { Stopper } from './stopper.ts'
import { Trace } from './trace.ts'
import { Violation } from './violation.ts'
import { followScheduler, wallClockMs } from './virtual-clock.ts'
import { type Disturbance, drawFate, drawWeather, type Weather } from './weather.ts'
import { Worker } from './worker.ts'

export interface ScheduleOptions {
  /** Whether to note what happens. */
  readonly isTraced?: boolean
  /** How old the source's records say they are when they are written. */
  readonly recordAgeMs?: number
}

export interface Outcome {
  readonly seed: number
  /** What must never happen and did; `undefined` where all is well. */
  readonly violation: Error | undefined
  readonly trace: readonly string[]
  readonly steps: number
  readonly virtualMs: number
  readonly copiedRecords: number
}

/** The longest that may pass after the last fault: a partition that halted several times rests for minutes. */
const CALM_MS_MAX = 900_000
const STEPS_MAX = 200_000
/** What a worker that has let go of the partition has still on its way is gone after this. */
const LET_GO_MS_MAX = 4_000
const REBALANCE_AGAIN_MS_MAX = 400
/** Longer than any writer takes the leader's memory for granted, and less than a day, when the fence is renewed. */
const QUIET_HOURS_MS = 8 * 3_600_000
const PRODUCER_EXPIRATION_MS = 6 * 3_600_000

/** Plays the schedule of a seed; the virtual clock must be installed. Never rejects. */
export async function playSchedule(seed: number, options: ScheduleOptions = {}): Promise<Outcome> {
  const world = new World(seed, options)
  const violation = await world.play()
  return {
    seed,
    violation,
    trace: world.trace.lines,
    steps: world.scheduler.steps,
    virtualMs: world.scheduler.nowMs,
    copiedRecords: world.copiedRecords
  }
}

class World {
  readonly scheduler = new Scheduler()
  readonly trace: Trace
  readonly #random: SeededRandom
  readonly #weather: Weather
  readonly #sourceLog: SourceLog
  readonly #source: SourceBrokers
  readonly #destination: DestinationBrokers
  readonly #judge: Judge
  readonly #group: Group
  readonly #network: Network
  readonly #orders: OrderLog
  /** By their processes. */
  readonly #workers = new Map<Process, Worker>()
  /** Those that have crashed, too. */
  readonly #everyWorker: Worker[] = []
  #incarnations = 0
  #stopsLeft: number
  /** Who has stopped the flow at present. */
  #stopper: Stopper | undefined
  /** What went wrong where it could not be thrown. */
  #failure: unknown
  #remainingActs: number
  /** From here on nothing fails any more. */
  #calmAtMs: number

  constructor(seed: number, { isTraced = false, recordAgeMs = 0 }: ScheduleOptions) {
    const { scheduler } = this
    const random = new SeededRandom(seed)
    this.#random = random
    this.trace = new Trace(scheduler, isTraced)
    // Pauses of the code under test come from a sequence of their own.
    followScheduler(scheduler, new SeededRandom(~seed))
    const weather = drawWeather(random)
    this.#weather = weather
    this.#remainingActs = weather.sourceActs
    this.#stopsLeft = weather.stops
    this.#calmAtMs = weather.calmAtMs
    this.trace.note('weather', () => JSON.stringify(weather))
    this.#sourceLog = new SourceLog(random, () => wallClockMs(scheduler.nowMs) - recordAgeMs)
    this.#source = new SourceBrokers(this.#sourceLog, scheduler, random)
    this.#destination = new DestinationBrokers({
      scheduler,
      random,
      producerExpirationMs: PRODUCER_EXPIRATION_MS,
      markerDelayMsMax: weather.markerDelayMsMax,
      appended: batch => {
        this.trace.note('east', () => `appends ${describeBatch(batch.bytes)} at ${batch.baseOffset}`)
        this.#judge.appended(batch)
      },
      truncated: endOffset => this.#judge.truncated(endOffset)
    })
    this.#judge = new Judge({
      source: this.#sourceLog,
      destination: this.#destination.log,
      delivery: weather.delivery,
      delayMs: weather.delayMs,
      wallClockMs: () => wallClockMs(scheduler.nowMs),
      originPrefix: `${this.#source.alias}/${this.#source.topic}/0/`
    })
    this.#network = new Network({
      scheduler,
      delayMs: () => random.between(weather.nearMs, random.chance(0.2) ? weather.farMs : weather.nearMs * 2),
      lateMs: () => random.pick([50, 500, 3_000]) * random.between(0.5, 2),
      fateOf: () => (this.#isCalm ? 'answered' : drawFate(weather, random)),
      survivesCrash: () => random.chance(0.5),
      watch: {
        sent: (process, { apiKey, body }) => {
          if (apiKey === API.produce) this.#failure ??= this.#judge.produceSent(process.name, body)
          const idleSinceMs = this.#workers.get(process)?.idleSinceMs
          if (apiKey === API.fetch && idleSinceMs !== undefined && scheduler.nowMs - idleSinceMs > LET_GO_MS_MAX) {
            this.#failure ??= new Violation(`${process.name} still reads what it has let go of`)
          }
        },
        settled: ({ name }, { apiKey, body }) => {
          if (apiKey === API.produce) this.#judge.produceSettled(name, body)
        },
        happened: (process, brokers, nodeId, request, what) =>
          this.trace.note(
            process.name,
            () => `${brokers.alias}/${nodeId} ${describeRequest(request, brokers)}: ${what}`
          )
      }
    })
    this.#orders = new OrderLog({
      scheduler,
      source: this.#source.alias,
      destination: this.#destination.alias,
      delayMs: () => random.between(weather.nearMs, random.chance(0.2) ? weather.farMs : weather.nearMs * 2),
      isLost: () => !this.#isCalm && random.chance(0.1),
      appended: ({ action }) => {
        this.trace.note('orders', () => action)
        if (action === 'START') this.#judge.open()
      },
      read: process => this.#orderRead(process)
    })
    this.#group = new Group({
      scheduler,
      random,
      delayMs: () => random.between(weather.nearMs, weather.farMs),
      commitFails: () => (this.#isCalm || random.chance(0.8) ? undefined : random.pick(['before', 'after'])),
      committed: commit => {
        const { destinationOffset } = JSON.parse(commit.metadata)
        const progress = { nextSourceOffset: commit.offset, topicId: undefined, leaderEpoch: -1, destinationOffset }
        this.#judge.progressed('the group', progress)
      },
      note: what => this.trace.note('group', what)
    })
  }

  get copiedRecords(): number {
    return this.#sourceLog.committed.length
  }

  async play(): Promise<Error | undefined> {
    const onRejection = (reason: unknown) => {
      this.#failure ??= reason
    }
    process.on('unhandledRejection', onRejection)
    try {
      this.#actAtSource()
      for (let i = 0; i < this.#weather.workers; i++) this.#startWorker(i)
      this.#disturbLater()
      this.#calmDownLater()
      await this.scheduler.run(() => {
        if (this.#failure !== undefined) throw this.#failure
        const { current } = this.scheduler
        if (current !== undefined) this.#workers.get(current)?.look()
        return this.#isOver()
      })
      return undefined
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    } finally {
      process.off('unhandledRejection', onRejection)
      // Node keeps what waits for a composite of signals until one of them comes, and all of this world with it.
      for (const worker of this.#everyWorker) worker.end()
    }
  }

  get #isCalm(): boolean {
    return this.scheduler.nowMs >= this.#calmAtMs
  }

  #isOver(): boolean {
    if (this.#remainingActs > 0 || !this.#isCalm || this.#stopper !== undefined) return false
    const { lastStableOffset } = this.#sourceLog
    if (this.#judge.isComplete && (this.#group.progress?.offset ?? 0) === lastStableOffset) return true
    if (this.scheduler.nowMs > this.#calmAtMs + CALM_MS_MAX || this.scheduler.steps > STEPS_MAX) {
      throw new Violation(
        `not done ${Math.round((this.scheduler.nowMs - this.#calmAtMs) / 1000)} s after the last fault: ` +
          `progress is ${this.#group.progress?.offset} of ${lastStableOffset}`
      )
    }
    return false
  }

  /** The source's producers write now and then, until all is written. */
  #actAtSource(): void {
    for (let i = 0; i < this.#weather.sourceActsAtOnce && this.#remainingActs > 0; i++) {
      this.#sourceLog.act()
      this.#remainingActs--
    }
    if (this.#remainingActs === 0) this.#sourceLog.finish()
    this.#source.wakeFetches()
    if (this.#remainingActs === 0) return
    const turns = this.#weather.sourceActs / this.#weather.sourceActsAtOnce
    this.scheduler.schedule(undefined, this.#random.between(0, (this.#weather.calmAtMs * 2) / turns), () =>
      this.#actAtSource()
    )
  }

  #startWorker(index: number): void {
    const { delivery, roundTripMs, batchBytesMax, delayMs } = this.#weather
    const worker = new Worker({
      name: `worker-${index}.${this.#incarnations++}`,
      scheduler: this.scheduler,
      network: this.#network,
      group: this.#group,
      source: this.#source,
      destination: this.#destination,
      orders: this.#orders,
      delivery,
      roundTripMs,
      batchBytesMax,
      delayMs,
      progressed: ({ process: { name } }, progress) => {
        this.trace.note(name, () => `progress ${progress.nextSourceOffset} at ${progress.destinationOffset}`)
        this.#judge.progressed(name, progress)
      },
      log: ({ process: { name } }, message, fields) =>
        this.trace.note(name, () => `${message} ${JSON.stringify(fields)}`)
    })
    this.#workers.set(worker.process, worker)
    this.#everyWorker.push(worker)
    // What it does from the beginning is its own process's.
    this.scheduler.schedule(worker.process, 0, () => worker.start())
  }

  /** The moment at which to stop the flow: a worker is on its way to writing and will hear of nothing. */
  #orderRead(process: Process): void {
    const random = this.#random
    if (this.#stopsLeft === 0 || this.#stopper !== undefined || this.#isCalm) return
    if (!random.chance(this.#weather.stopChance)) return
    this.#stopsLeft--
    this.#stop()
    if (random.chance(0.5)) this.#pause(this.#workers.get(process), random.between(50, 2_000))
  }

  #stop(): void {
    this.trace.note('world', () => 'the flow is stopped')
    const stopper = new Stopper({
      name: `stopper-${this.#stopsLeft}`,
      scheduler: this.scheduler,
      network: this.#network,
      orders: this.#orders,
      source: this.#source,
      destination: this.#destination,
      roundTripMs: this.#weather.roundTripMs,
      stoppedMs: this.#random.between(500, 4_000),
      closed: () => {
        this.trace.note('world', () => 'nobody writes any more')
        this.#judge.close()
      },
      over: () => {
        this.#stopper = undefined
      }
    })
    this.#stopper = stopper
    stopper.start()
  }

  #disturbLater(): void {
    const delayMs = -Math.log(1 - this.#random.next()) * this.#weather.disturbanceIntervalMs
    this.scheduler.schedule(undefined, delayMs, () => {
      if (this.#isCalm || this.#weather.disturbances.length === 0) return
      this.#disturb(this.#random.pick(this.#weather.disturbances))
      this.#disturbLater()
    })
  }

  #disturb(disturbance: Disturbance): void {
    const { scheduler } = this
    const random = this.#random
    this.trace.note('world', () => disturbance)
    switch (disturbance) {
      case 'crash':
        this.#crash(this.#someWorker())
        break
      case 'pause':
        this.#pause(this.#someWorker(), random.pick([100, 2_000, 4_000]) * random.between(0.5, 1.5))
        break
      case 'rebalance':
        this.#group.rebalance()
        // One seldom comes alone: the next owner may have to let go before it has begun.
        if (random.chance(0.5)) {
          scheduler.schedule(undefined, random.between(0, REBALANCE_AGAIN_MS_MAX), () => this.#group.rebalance())
        }
        break
      case 'source-leader-change':
        this.#source.changeLeader(random.between(0, 300))
        break
      case 'destination-leader-change':
        this.#destination.changeLeader(random.between(0, 300))
        break
      case 'destination-restart':
        this.#restart(this.#destination, random.pick(this.#destination.nodeIds))
        break
      case 'too-few-replicas':
        this.#destination.replicasAreFew(random.between(10, 1_500))
        break
      case 'slow-replicas':
        this.#destination.replicasAreSlow(random.pick([30, 500, 11_000]))
        break
      case 'coordinator-moves':
        this.#destination.moveCoordinator()
        break
      case 'sessions-evicted':
        this.#source.evictSessions()
        break
      case 'producers-expire':
        this.#destination.log.expireProducers()
        break
      case 'quiet-hours':
        this.#quietHours()
    }
  }

  /** Mostly the one that owns the partition: the others have nothing to lose. */
  #someWorker(): Worker | undefined {
    const owner = this.#group.owner && this.#workers.get(this.#group.owner.process)
    return owner !== undefined && this.#random.chance(0.8) ? owner : this.#random.pick([...this.#workers.values()])
  }

  /** A worker is gone, whatever it was doing; another one begins in its place. */
  #crash(worker: Worker | undefined): void {
    if (worker === undefined || worker.process.state !== 'running') return
    this.trace.note(worker.process.name, () => 'crashes')
    this.scheduler.kill(worker.process)
    this.#network.cutProcess(worker.process)
    this.#group.watch(worker.process)
    this.#workers.delete(worker.process)
    const index = this.#incarnations
    this.scheduler.schedule(undefined, this.#random.between(50, 2_000), () => this.#startWorker(index))
  }

  /** A worker stands still and goes on later, as if nothing had happened. */
  #pause(worker: Worker | undefined, forMs: number): void {
    if (worker === undefined || worker.process.state !== 'running') return
    this.trace.note(worker.process.name, () => `stands still for ${Math.round(forMs)} ms`)
    this.scheduler.pause(worker.process)
    this.#group.watch(worker.process)
    this.scheduler.schedule(undefined, forMs, () => {
      this.trace.note(worker.process.name, () => 'wakes up')
      this.scheduler.wake(worker.process)
      this.#beginIdleAnew(worker)
    })
  }

  /** It did not see the time pass. */
  #beginIdleAnew(worker: Worker): void {
    if (worker.idleSinceMs !== undefined) worker.idleSinceMs = this.scheduler.nowMs
  }

  #restart(brokers: DestinationBrokers, nodeId: number): void {
    if (!brokers.isUp(nodeId)) return
    brokers.goDown(nodeId)
    this.#network.cutBroker(brokers, nodeId)
    if (brokers.leaderId === nodeId && this.#random.chance(0.7)) brokers.changeLeader(this.#random.between(0, 200))
    this.scheduler.schedule(undefined, this.#random.between(10, 1_000), () => brokers.comeUp(nodeId))
  }

  /** Hours in which nothing happens: leaders have forgotten their producers at their end. */
  #quietHours(): void {
    const isEverybodyAwake = [...this.#workers.keys()].every(({ state }) => state === 'running')
    // Whatever is under way now would arrive hours later, which no network does.
    const { lastStableOffset, endOffset } = this.#sourceLog
    const isQuiet = this.#destination.isQuiet && this.#network.isWithoutBatches && lastStableOffset === endOffset
    // Who is awake hears within hours of an order; who sleeps for so long is outside what the fence covers.
    const isEverybodyTold = [...this.#workers.values()].every(({ orderHeard }) => orderHeard === this.#orders.newest)
    // An owner that is awake reads on within seconds, and hears then if somebody has shut it out meanwhile and gone on.
    const isOwnerDone = (this.#group.progress?.offset ?? 0) === lastStableOffset
    if (!isEverybodyAwake || !isEverybodyTold || !isQuiet || !isOwnerDone || !this.#judge.isComplete) return
    this.scheduler.leap(QUIET_HOURS_MS)
    for (const worker of this.#workers.values()) this.#beginIdleAnew(worker)
    this.#calmAtMs += QUIET_HOURS_MS
    this.#destination.log.expireProducers()
  }

  #calmDownLater(): void {
    this.scheduler.schedule(undefined, this.#calmAtMs - this.scheduler.nowMs, () => {
      // Quiet hours have put it off.
      if (!this.#isCalm) return this.#calmDownLater()
      this.trace.note('world', () => 'nothing fails any more')
      for (const worker of this.#workers.values()) {
        if (worker.process.state !== 'paused') continue
        this.scheduler.wake(worker.process)
        this.#beginIdleAnew(worker)
      }
    })
  }
}

function describeRequest({ apiKey, body }: Request, { alias }: Brokers): string {
  const name = Object.entries(API).find(([, key]) => key === apiKey)![0]
  return apiKey === API.produce ? `${name} ${describeBatch(batchInProduceRequest(body))}` : `${name} (${alias})`
}

function describeBatch(batch: Buffer): string {
  const { producerId, producerEpoch, firstSequence, lastSequence } = stampOf(batch)
  return `producer ${producerId}/${producerEpoch} sequences ${firstSequence} to ${lastSequence}`
}
