/**
 * Which fault befalls what, and when: all of it drawn from the seed before the first one happens, so that nothing that
 * happens can change what is drawn. A longer run of the same seed begins with the faults of the shorter one.
 */

import { SeededRandom } from '../support/seeded-random.ts'
import type { Toxic } from '../support/toxiproxy.ts'

export const SIDES = ['source', 'destination'] as const
export type Side = (typeof SIDES)[number]

const WORKER_KINDS = ['kill worker', 'stop worker', 'pause worker', 'add worker', 'remove worker'] as const
const BROKER_KINDS = ['kill broker', 'stop broker', 'pause broker'] as const
const NETWORK_KINDS = ['cut', 'reset connections', 'latency', 'bandwidth', 'half-open', 'slices'] as const

/** In the order of the table at the end. */
export const FAULT_KINDS = [
  ...WORKER_KINDS,
  ...BROKER_KINDS,
  ...NETWORK_KINDS,
  'add partition',
  'lose progress'
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

interface WorkerFault {
  readonly kind: (typeof WORKER_KINDS)[number]
  readonly worker: number
}

interface BrokerFault {
  readonly kind: (typeof BROKER_KINDS)[number]
  readonly side: Side
}

/** Between the workers and one side; only they come through the proxies. */
export interface NetworkFault {
  readonly kind: (typeof NETWORK_KINDS)[number]
  readonly side: Side
  /** None where the network is cut. */
  readonly toxics: readonly Toxic[]
}

interface TopicFault {
  readonly kind: 'add partition'
  readonly topic: string
}

/** All workers end, what the group has committed is deleted, and as many workers start again. */
interface ProgressFault {
  readonly kind: 'lose progress'
}

export type Fault = (WorkerFault | BrokerFault | NetworkFault | TopicFault | ProgressFault) & {
  readonly atMs: number
  /** How long something is down, paused or poisoned; 0 where the fault is over at once. */
  readonly durationMs: number
}

export interface ScheduleOptions {
  readonly seed: number
  readonly lengthMs: number
  readonly topics: readonly string[]
  /** How many workers there are at the beginning: 0, 1, …; there is never none, and never more than `workersMax`. */
  readonly workers: number
  readonly workersMax: number
}

const FIRST_AT_MS = 2_000
const PAUSE_MS = { lowest: 1_500, highest: 3_500 }
/**
 * After so many faults there is a rest, in which a group that has lost members can settle: it misses those that were
 * killed only after ten seconds. Without it there are minutes in which nothing is mirrored, so that nothing can go wrong.
 */
const FAULTS_BETWEEN_RESTS = 10
const REST_MS = 12_000
/** Where none could happen because of those that last. */
const RETRY_MS = 500
/** Faults overlap, but something has to work most of the time, or nothing is tested but standing still. */
const OVERLAPPING_MAX = 3

/** How often each kind is in the bag that faults are drawn from, until it is empty. */
const BAG: Readonly<Record<FaultKind, number>> = {
  'kill worker': 4,
  'stop worker': 1,
  'pause worker': 2,
  'add worker': 1,
  'remove worker': 1,
  'kill broker': 2,
  'stop broker': 1,
  'pause broker': 2,
  cut: 1,
  'reset connections': 1,
  latency: 1,
  bandwidth: 1,
  'half-open': 2,
  slices: 1,
  'add partition': 1,
  'lose progress': 1
}

/** What a fault takes beside its duration until the next one may befall the same: starting and ending processes. */
const AFTERMATH_MS: Partial<Record<FaultKind, number>> = {
  'kill worker': 2_000,
  'stop worker': 5_000,
  'remove worker': 5_000,
  'kill broker': 8_000,
  'stop broker': 10_000,
  'lose progress': 15_000
}

const DURATION_MS: Partial<Record<FaultKind, { readonly lowest: number; readonly highest: number }>> = {
  'pause worker': { lowest: 1_000, highest: 20_000 },
  'kill broker': { lowest: 0, highest: 3_500 },
  'stop broker': { lowest: 0, highest: 3_500 },
  'pause broker': { lowest: 500, highest: 12_000 },
  cut: { lowest: 200, highest: 8_000 },
  'reset connections': { lowest: 500, highest: 5_000 },
  latency: { lowest: 3_000, highest: 12_000 },
  bandwidth: { lowest: 3_000, highest: 12_000 },
  'half-open': { lowest: 1_000, highest: 12_000 },
  slices: { lowest: 2_000, highest: 8_000 }
}

/** Draws the whole schedule. */
export function makeSchedule(options: ScheduleOptions): Fault[] {
  const maker = new ScheduleMaker(options)
  const schedule: Fault[] = []
  let atMs = FIRST_AT_MS
  while (atMs < options.lengthMs) {
    const fault = maker.draw(atMs)
    if (fault) schedule.push(fault)
    atMs += fault ? maker.pauseMs() : RETRY_MS
    if (fault && schedule.length % FAULTS_BETWEEN_RESTS === 0) atMs += REST_MS
  }
  return schedule
}

/** What a fault befalls, and so what no other one may befall at the same time. */
export function targetsOf(fault: Fault, workersMax: number): string[] {
  switch (fault.kind) {
    case 'kill worker':
    case 'stop worker':
    case 'pause worker':
    case 'add worker':
    case 'remove worker':
      return [`worker ${fault.worker}`]
    case 'kill broker':
    case 'stop broker':
    case 'pause broker':
      return [`${fault.side} broker`]
    case 'add partition':
      return ['topics']
    case 'lose progress':
      return Array.from({ length: workersMax }, (_, worker) => `worker ${worker}`)
    default:
      return [`${fault.side} network`]
  }
}

class ScheduleMaker {
  readonly #random: SeededRandom
  readonly #options: ScheduleOptions
  #bag: FaultKind[] = []
  /** The numbers of those there are. */
  readonly #workers: Set<number>
  /** When what is befallen has recovered, by target. */
  readonly #busyUntilMs = new Map<string, number>()

  constructor(options: ScheduleOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#workers = new Set(Array.from({ length: options.workers }, (_, worker) => worker))
  }

  pauseMs(): number {
    return this.#random.integer(PAUSE_MS.lowest, PAUSE_MS.highest)
  }

  /** The first fault of the bag that can happen at this time; `undefined` where none can. */
  draw(atMs: number): Fault | undefined {
    const lasting = [...new Set(this.#busyUntilMs.values())].filter(untilMs => untilMs > atMs)
    if (this.#bag.length === 0) this.#bag = this.#random.shuffled(fullBag())
    for (const [index, kind] of this.#bag.entries()) {
      const durationMs = this.#durationMs(kind)
      if (lasting.length >= OVERLAPPING_MAX && durationMs + (AFTERMATH_MS[kind] ?? 0) > 0) continue
      const fault = this.#faultOf(kind, atMs, durationMs)
      if (!fault) continue
      this.#bag.splice(index, 1)
      this.#note(fault)
      return fault
    }
    return undefined
  }

  #durationMs(kind: FaultKind): number {
    const range = DURATION_MS[kind]
    return range ? this.#random.integer(range.lowest, range.highest) : 0
  }

  #faultOf(kind: FaultKind, atMs: number, durationMs: number): Fault | undefined {
    const when = { atMs, durationMs }
    const isFree = (target: string) => (this.#busyUntilMs.get(target) ?? 0) <= atMs
    const existing = [...this.#workers].filter(worker => isFree(`worker ${worker}`))
    switch (kind) {
      case 'kill worker':
      case 'stop worker':
      case 'pause worker':
        return existing.length > 0 ? { ...when, kind, worker: this.#random.pick(existing) } : undefined
      case 'remove worker':
        if (existing.length === 0 || this.#workers.size === 1) return undefined
        return { ...when, kind, worker: this.#random.pick(existing) }
      case 'add worker': {
        const numbers = Array.from({ length: this.#options.workersMax }, (_, worker) => worker)
        const worker = numbers.find(number => !this.#workers.has(number) && isFree(`worker ${number}`))
        return worker === undefined ? undefined : { ...when, kind, worker }
      }
      case 'lose progress':
        return existing.length === this.#workers.size ? { ...when, kind } : undefined
      case 'add partition':
        return { ...when, kind, topic: this.#random.pick(this.#options.topics) }
      case 'kill broker':
      case 'stop broker':
      case 'pause broker': {
        const sides = SIDES.filter(side => isFree(`${side} broker`))
        return sides.length > 0 ? { ...when, kind, side: this.#random.pick(sides) } : undefined
      }
      default: {
        const sides = SIDES.filter(side => isFree(`${side} network`))
        if (sides.length === 0) return undefined
        return { ...when, kind, side: this.#random.pick(sides), toxics: this.#toxics(kind) }
      }
    }
  }

  #note(fault: Fault): void {
    if (fault.kind === 'add worker') this.#workers.add(fault.worker)
    if (fault.kind === 'remove worker') this.#workers.delete(fault.worker)
    const untilMs = fault.atMs + fault.durationMs + (AFTERMATH_MS[fault.kind] ?? 0)
    for (const target of targetsOf(fault, this.#options.workersMax)) this.#busyUntilMs.set(target, untilMs)
  }

  #toxics(kind: NetworkFault['kind']): Toxic[] {
    switch (kind) {
      case 'cut':
        return []
      case 'reset connections':
        return inBoth('reset_peer', { timeout: this.#random.integer(0, 500) })
      case 'latency': {
        const latency = this.#random.integer(20, 600)
        return inBoth('latency', { latency, jitter: this.#random.integer(0, latency) })
      }
      case 'bandwidth':
        return inBoth('bandwidth', { rate: this.#random.integer(50, 1_000) })
      case 'half-open': {
        // One direction or both: a request may arrive whose answer does not.
        const streams = this.#random.pick([['upstream'], ['downstream'], ['upstream', 'downstream']] as const)
        return streams.map(stream => ({ type: 'timeout', stream, attributes: { timeout: 0 } }))
      }
      case 'slices': {
        const size = this.#random.integer(16, 2_000)
        return inBoth('slicer', { average_size: size, size_variation: size >> 1, delay: this.#random.integer(0, 500) })
      }
    }
  }
}

function fullBag(): FaultKind[] {
  return FAULT_KINDS.flatMap(kind => Array.from({ length: BAG[kind] }, () => kind))
}

function inBoth(type: Toxic['type'], attributes: Toxic['attributes']): Toxic[] {
  return (['upstream', 'downstream'] as const).map(stream => ({ type, stream, attributes }))
}
