import { partitionKey } from '../cluster/offsets.ts'
import { ClosingRate } from '../lag/closing-rate.ts'
import type { FlowStatus } from '../observe/status.ts'
import type { OutsidePartition } from './group-look.ts'
import type { LastSeen } from './group-watch.ts'
import { OutsideLags } from './outside-lags.ts'
import type { OutsideNews } from './page-rows.ts'
import { PassedOffsets } from './passed-offsets.ts'
import { StandingStill } from './standing-still.ts'

/**
 * The other workers' partitions, with what is remembered from one look to the next. Nothing of it holds across a time in which nobody
 * looked: then another one is begun.
 */
export class SeenOthers {
  readonly #lags = new OutsideLags()
  readonly #standing = new StandingStill()
  readonly #closing = new ClosingRate()
  readonly #passed = new PassedOffsets()
  #etas = new Map<string, number | null>()
  #owners = new Map<string, string>()
  #last: LastSeen

  constructor(first: LastSeen) {
    this.#last = first
    this.look(first)
  }

  get last(): LastSeen {
    return this.#last
  }

  /** How fast all of them move together; `null` before the second look. */
  get recordsPerSecond(): number | null {
    return this.#passed.perSecond
  }

  look(last: LastSeen): void {
    const { others, atMs, wallAtMs } = last
    this.#last = last
    this.#owners = ownersOf(last)
    this.#lags.look(others, atMs, wallAtMs)
    const behind = others.filter(({ judgement }) => (judgement.lagRecords ?? 0) > 0)
    const left = behind.map(partition => [partitionKey(partition), partition.judgement.lagRecords!] as const)
    this.#etas = this.#closing.look(new Map(left), atMs)
    this.#standing.look(behind.map(positionOf), atMs)
    this.#passed.look(others.map(positionOf), atMs)
  }

  /** As of the last look: what a commit tells does not become old by nobody looking for the next one. */
  newsOf(partition: OutsidePartition, order: FlowStatus['stopped']): Omit<OutsideNews, 'halt'> {
    const key = partitionKey(partition)
    return {
      isStopped: order !== null && (order.stopAt === null || order.id === partition.stopped),
      lag: this.#lags.of(partition),
      worker: this.#owners.get(key) ?? null,
      etaSeconds: this.#etas.get(key) ?? null,
      standingSeconds: this.#standing.secondsOf(partition, this.#last.atMs)
    }
  }
}

function positionOf({ topic, partition, judgement }: OutsidePartition) {
  return { topic, partition, nextSourceOffset: judgement.nextSourceOffset }
}

function ownersOf({ workers }: LastSeen): Map<string, string> {
  const owners = new Map<string, string>()
  for (const { clientId, partitions } of workers ?? []) {
    for (const partition of partitions) owners.set(partitionKey(partition), clientId)
  }
  return owners
}
