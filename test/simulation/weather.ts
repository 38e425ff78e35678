import type { SeededRandom } from '../support/seeded-random.ts'

/** What may happen to one request. */
export type Fate =
  | 'answered'
  /** The broker answers with an error and does nothing. */
  | 'refused'
  /** The broker does it, and answers with an error all the same. */
  | 'done-but-refused'
  /** The connection breaks before it arrives. */
  | 'cut-before'
  /** The connection breaks behind it: it is done, but the answer is lost. */
  | 'cut-after'
  /** The connection breaks, but the request is on its way still and arrives much later. */
  | 'cut-late'
  /** It is done, and much later done again. */
  | 'twice'

/** What happens to the clusters and workers by itself. */
export const DISTURBANCES = [
  'crash',
  'pause',
  'rebalance',
  'source-leader-change',
  'destination-leader-change',
  'destination-restart',
  'too-few-replicas',
  'slow-replicas',
  'coordinator-moves',
  'sessions-evicted',
  'producers-expire',
  'quiet-hours'
] as const

export type Disturbance = (typeof DISTURBANCES)[number]

/**
 * How bad it is in one schedule. Each draws its own mixture: were everything always possible, what takes three faults of one
 * kind in a row would never come up between all the others.
 */
export interface Weather {
  readonly delivery: 'exactly-once' | 'at-least-once'
  readonly workers: number
  /** Most messages are under way for about `nearMs`, one in five up to `farMs`. */
  readonly nearMs: number
  readonly farMs: number
  /** What connections say that it takes there and back: the source reader asks for more, and on more of them, from afar. */
  readonly roundTripMs: number
  readonly fates: readonly { readonly fate: Fate; readonly chance: number }[]
  readonly disturbances: readonly Disturbance[]
  readonly disturbanceIntervalMs: number
  readonly markerDelayMsMax: number
  /** From here on nothing fails any more. */
  readonly calmAtMs: number
  readonly sourceActs: number
  readonly sourceActsAtOnce: number
  readonly batchBytesMax: number
  /** How often the flow is stopped from outside at most, and how likely whenever a worker has just read that it is not. */
  readonly stops: number
  readonly stopChance: number
  /** How far behind the copy is kept on purpose. */
  readonly delayMs: number
}

/** The one that is commonest in life counts twice. */
const FATES: readonly Fate[] = [
  'refused',
  'refused',
  'done-but-refused',
  'cut-before',
  'cut-after',
  'cut-late',
  'twice'
]

export function drawWeather(random: SeededRandom): Weather {
  const nearMs = random.pick([0.1, 0.5, 2])
  const delivery = random.chance(0.15) ? 'at-least-once' : 'exactly-once'
  const disturbanceChance = random.pick([0.15, 0.4, 0.8])
  return {
    delivery,
    workers: random.integer(2, 3),
    nearMs,
    farMs: nearMs + random.pick([1, 10, 50, 400]),
    roundTripMs: random.pick([1, 1, 1, 25, 50]),
    fates: FATES.filter(() => random.chance(0.6)).map(fate => ({ fate, chance: random.pick([0.005, 0.02, 0.08]) })),
    disturbances: DISTURBANCES.filter(() => random.chance(disturbanceChance)),
    disturbanceIntervalMs: random.pick([150, 500, 1_500]),
    markerDelayMsMax: random.pick([5, 60, 2_000]),
    calmAtMs: random.integer(3_000, 9_000),
    sourceActs: random.integer(5, 30),
    sourceActsAtOnce: random.pick([1, 5, 30]),
    batchBytesMax: random.pick([250, 250, 500, 1_000_000]),
    // Without a fence nobody can be stopped for sure.
    stops: delivery === 'exactly-once' ? random.pick([0, 0, 1, 5]) : 0,
    stopChance: random.pick([0.1, 0.6]),
    delayMs: random.pick([0, 0, 0, 200, 3_000])
  }
}

/** What becomes of a request, while the weather lasts. */
export function drawFate({ fates }: Weather, random: SeededRandom): Fate {
  let drawn = random.next()
  for (const { fate, chance } of fates) {
    if (drawn < chance) return fate
    drawn -= chance
  }
  return 'answered'
}
