/**
 * `farlog failover`: the destination takes over from a source that is gone, or is about to be left.
 *
 *     stop       STOP is written to the event log: workers that hear of it let what is in flight arrive, and stand still
 *     drain      until they have, for a while: what a worker holds that can't be asked is lost with it
 *     shut out   every partition is fenced: from here on nobody writes, who slept through all of it included
 *     loss       what the destination holds by then, against what is known of the source
 *     groups     each consumer group gets the place at the destination where it had got to at the source
 *
 * The order of the first three is what makes it final; `src/flow/standing-orders.ts` says why. Each step does nothing that is done
 * already, so a failover that was interrupted is finished by doing it again.
 */
import { pause } from '../cluster/retry.ts'
import { compileNameFilter } from '../config/name-filter.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { Fence } from '../destination/fence.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import { concurrently } from '../status/concurrently.ts'
import { FlowTranslator } from '../status/flow-translator.ts'
import { type FlowPartition, FlowSides } from './flow-sides.ts'
import { readGroupPositions } from './group-positions.ts'
import { type HomeOfGroups, readHomeAtDestination } from './home-of-groups.ts'
import { type LossTotals, totalLoss } from './loss.ts'
import { type GroupOutcome, moveGroups } from './move-groups.ts'
import { OrderBook } from './order-book.ts'
import { readLosses } from './read-losses.ts'
import { shutOut } from './shut-out.ts'
import { StepRefused } from './step-refused.ts'

export interface FailoverOptions {
  readonly config: Config
  readonly flow: FlowConfig
  /** Patterns that narrow the configured groups down; all of them when `undefined`. */
  readonly groups: readonly string[] | undefined
  /** Tell everything, change nothing. */
  readonly isDryRun: boolean
  /** User and host. */
  readonly orderedBy: string
  /** Shown wherever the order is. */
  readonly reason: string
  /** Hears of each step what was done. */
  say(step: FailoverStep, what: string): void
  /** Keeps what is known as soon as it is: a later step may fail. */
  report(losses: readonly PartitionLoss[]): Promise<void>
  readonly signal: AbortSignal
}

export const FAILOVER_STEPS = ['stop', 'drain', 'shut out', 'loss', 'groups'] as const
export type FailoverStep = (typeof FAILOVER_STEPS)[number]

/** What a failover has done, or would do: the shape of its JSON. */
export interface FailoverReport {
  readonly source: string
  readonly destination: string
  readonly isDryRun: boolean
  /** The order that the flow stands still by; `null` in a dry run, where there is none. */
  readonly order: FlowOrder | null
  /** Sentences about what is not as it should be. */
  readonly warnings: readonly string[]
  readonly loss: LossTotals & { readonly losses: readonly PartitionLoss[] }
  readonly groups: readonly GroupOutcome[]
}

const CLIENT_ID = 'farlog-failover'
/** Workers look for orders every 2 s, what is in flight has 5 s, and then progress is committed. */
const DRAIN_TIMEOUT_MS = 12_000
const FIRST_SIGN_TIMEOUT_MS = 6_000
const DRAIN_LOOK_MS = 250
/** Workers look for orders every 2 s, and what is on its way arrives. */
const HEARD_WITHIN_MS = 10_000
const FENCES_AT_A_TIME = 64
const FENCE_PATIENCE_MS = 30_000

/** @throws ClusterError where the destination can't be asked or refuses a step; what was done until then stays done */
export async function failOver(options: FailoverOptions): Promise<FailoverReport> {
  const { config, flow, isDryRun, signal } = options
  await using translator = new FlowTranslator(config, flow)
  const opening = translator.open(signal)
  opening.catch(() => {})
  await using sides = await FlowSides.open(config, flow, CLIENT_ID)
  await using book = new OrderBook(sides, CLIENT_ID)
  const failover = new Failover(options, sides, book)
  const order = await failover.stop()
  if (order !== undefined && !isDryRun) await failover.drain(order)
  const partitions = await sides.partitions(signal)
  if (!isDryRun) await failover.shutOutAll(partitions)
  const losses = await failover.tellLoss(partitions, order)
  await opening
  const groups = await failover.moveGroups(translator, await readHomeAtDestination(sides, signal))
  return {
    source: flow.source.alias,
    destination: flow.destination.alias,
    isDryRun,
    order: order ?? null,
    warnings: [...(sides.sourceProblem ? [sides.sourceProblem.message] : []), ...failover.warnings],
    loss: { ...totalLoss(losses), losses },
    groups
  }
}

/** The steps, for those who put them together in their own way. */
export class Failover {
  readonly warnings: string[] = []
  readonly #options: FailoverOptions
  readonly #sides: FlowSides
  readonly #book: OrderBook

  constructor(options: FailoverOptions, sides: FlowSides, book: OrderBook) {
    this.#options = options
    this.#sides = sides
    this.#book = book
  }

  /** The order that holds from here on; in a dry run the one that holds already, if any does. */
  async stop(): Promise<FlowOrder | undefined> {
    const { isDryRun, orderedBy, reason, say } = this.#options
    const newest = await this.#book.newest()
    const standing = newest?.action === 'STOP' ? newest : undefined
    if (isDryRun) {
      say('stop', standing === undefined ? 'the flow would be stopped' : `stopped already by ${standing.orderedBy}`)
      return standing
    }
    const order = standing ?? (await this.#book.give({ action: 'STOP', reason, orderedBy }))
    await this.#book.secure(warning => this.warnings.push(warning))
    const at = new Date(order.orderedAt).toISOString()
    say('stop', `${standing === undefined ? 'ordered' : 'taken over: ordered'} by ${order.orderedBy} at ${at}`)
    return order
  }

  /** Waits until all partitions say that they stand still, there seems to be no worker, or it takes too long. */
  async drain({ id }: FlowOrder): Promise<void> {
    const { signal, say } = this.#options
    const startedAtMs = performance.now()
    for (;;) {
      const [partitions, workers] = await Promise.all([this.#sides.partitions(signal), this.#sides.workers(signal)])
      const owned = partitions.filter(({ committed }) => committed !== undefined)
      const standing = owned.filter(({ committed }) => committed?.stopped === id).length
      const count = `${standing} of ${owned.length} partitions say that they stand still`
      if (standing === owned.length) return say('drain', count)
      if (workers === 0) return say('drain', `${count}, and no worker is running`)
      const waitedMs = performance.now() - startedAtMs
      // Soon after a source is gone its group is too, and workers own nothing any more that they could speak for.
      const isNobodyThere = workers === undefined && standing === 0 && waitedMs > FIRST_SIGN_TIMEOUT_MS
      if (isNobodyThere || waitedMs > DRAIN_TIMEOUT_MS) {
        return say('drain', `${count} after ${Math.round(waitedMs / 1000)} s; the others are not waited for`)
      }
      await pause(DRAIN_LOOK_MS, signal)
      signal.throwIfAborted()
    }
  }

  async shutOutAll(partitions: readonly FlowPartition[]): Promise<void> {
    const { config, say, signal } = this.#options
    if (config.delivery === 'at-least-once') {
      this.warnings.push(
        'with FARLOG_DELIVERY=at-least-once there is no fence: a worker that can’t hear of the order goes on writing; end all workers'
      )
      return say('shut out', 'not possible with at-least-once')
    }
    const { destination, source } = this.#sides
    const fence = new Fence(destination)
    // The first one that can't be fenced ends it; the others need not be waited for.
    const failing = new AbortController()
    const options = {
      ...{ destination, fence, source: source.alias, patienceMs: FENCE_PATIENCE_MS },
      signal: AbortSignal.any([signal, failing.signal])
    }
    try {
      await concurrently(partitions, FENCES_AT_A_TIME, partition => shutOut(partition, options))
    } finally {
      failing.abort()
    }
    say('shut out', `${partitions.length} partitions are fenced: nobody writes any more`)
  }

  async tellLoss(partitions: readonly FlowPartition[], order: FlowOrder | undefined): Promise<PartitionLoss[]> {
    const { isDryRun, report, say, signal } = this.#options
    const losses = await readLosses(this.#sides, partitions, order?.id ?? '', signal)
    if (!isDryRun) await this.#book.leave(losses)
    await report(losses)
    say('loss', isDryRun ? 'as of now: the flow has not been stopped' : 'kept in the event log')
    return losses
  }

  async moveGroups(translator: FlowTranslator, home?: HomeOfGroups): Promise<GroupOutcome[]> {
    const { config, flow, groups, isDryRun, say, signal } = this.#options
    const isConfigured = compileNameFilter(config.groups)
    const isAskedFor = groups === undefined ? () => true : compileNameFilter({ include: groups, exclude: [] })
    const isSelected = (group: string) => group !== flow.groupId && isConfigured(group) && isAskedFor(group)
    const positions = await readGroupPositions(this.#sides, isSelected, (group, error) =>
      this.warnings.push(`${flow.source.alias} does not tell about group ${group} (${error}): its checkpoints count`)
    )
    const outcomes = await moveGroups(this.#sides, { translator, home }, positions, isDryRun, signal)
    const moved = outcomes.filter(({ outcome }) => outcome === 'moved').length
    say('groups', `${moved} of ${outcomes.length} groups ${isDryRun ? 'would get' : 'have got'} new offsets`)
    return outcomes
  }
}

/** Lets workers mirror again. Resolves to the order that stood in the way; `undefined` where none did. @throws ClusterError */
export async function start(
  config: Config,
  flow: FlowConfig,
  orderedBy: string,
  reason: string
): Promise<FlowOrder | undefined> {
  await using sides = await FlowSides.open(config, flow, CLIENT_ID)
  await using book = new OrderBook(sides, CLIENT_ID)
  const newest = await book.newest()
  if (newest === undefined || newest.action === 'START') return undefined
  await book.give({ action: 'START', reason, orderedBy })
  return newest
}

/**
 * Has a flow that is kept behind (`FARLOG_DELAY`) copy what came to the source before a time, and then stand still.
 * @param stopAt by the wall clock, in milliseconds
 * @throws StepRefused where it is stopped already, or the copy may have passed that time
 * @throws ClusterError where the order could not be written
 */
export async function stopAt(
  config: Config,
  flow: FlowConfig,
  order: { readonly stopAt: number; readonly orderedBy: string; readonly reason: string }
): Promise<FlowOrder> {
  const passedMs = Date.now() + HEARD_WITHIN_MS - config.delayMs
  if (order.stopAt < passedMs) {
    throw new StepRefused(
      `${flow.destination.alias} may have copied what came to ${flow.source.alias} before ` +
        `${new Date(passedMs).toISOString()} by the time workers hear of it (FARLOG_DELAY is ${config.delayMs / 1000} s): ` +
        'choose a later time, or stop at once with farlog failover'
    )
  }
  await using sides = await FlowSides.open(config, flow, CLIENT_ID)
  await using book = new OrderBook(sides, CLIENT_ID)
  const newest = await book.newest()
  if (newest?.action === 'STOP') {
    throw new StepRefused(`the flow was stopped by ${newest.orderedBy} (${newest.reason}): farlog start lets it run`)
  }
  const given = await book.give({ action: 'STOP_AT', ...order })
  await book.secure(() => {})
  return given
}

/** Whether something is left to be done. */
export function isComplete({ groups }: FailoverReport): boolean {
  return groups.every(({ outcome }) => outcome !== 'failed')
}
