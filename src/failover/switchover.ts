/**
 * `farlog switchover`: the planned move, with both sides up and nothing lost.
 *
 *     ready       both sides answer, nothing is halted, nobody else has stopped the flow
 *     lag         is small, so that the rest is a matter of seconds
 *     producers   have stopped: nothing new comes to the source
 *     drained     all of it is at the destination
 *     groups      each consumer group gets its place at the destination
 *     verify      source and destination are compared, record by record
 *     stop        as a failover: STOP, fence, loss report; of which the loss must be zero
 *     reverse     the flow back begins behind the copies, and runs
 *
 * Only the last two change what the clusters do, and what can refuse stands before them. Where one of the two fails all the same,
 * START takes the STOP back: both sides are as they were, but for offsets of idle groups at the destination, which only
 * moved forwards. The last thing written is START of the reverse flow, which names the STOP: where both stand, it was done.
 */
import { ClusterError } from '../cluster/errors.ts'
import { listGroups } from '../cluster/group-list.ts'
import { pause } from '../cluster/retry.ts'
import { compileNameFilter } from '../config/name-filter.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import { RecordsError } from '../records/errors.ts'
import { FlowObserver } from '../status/flow-observer.ts'
import { FlowTranslator } from '../status/flow-translator.ts'
import type { FlowOverview, PartitionRow } from '../status/overview.ts'
import { duration } from '../status/status-text.ts'
import { VerifyError } from '../verify/errors.ts'
import type { FlowReport } from '../verify/flow-report.ts'
import { exactLosses, untilDrained } from './drained.ts'
import { Failover } from './failover.ts'
import { type FlowPartition, FlowSides } from './flow-sides.ts'
import { readHomePositions } from './home-of-groups.ts'
import { totalLoss } from './loss.ts'
import type { GroupOutcome } from './move-groups.ts'
import { OrderBook } from './order-book.ts'
import { untilQuiet } from './quiet-source.ts'
import { readLosses } from './read-losses.ts'
import { findUnbegun, type ReverseStart, reverseOf, startReverse } from './reverse-flow.ts'
import { named, StepRefused } from './step-refused.ts'
import {
  SWITCHOVER_STEPS,
  type SwitchoverOptions,
  type SwitchoverReport,
  type SwitchoverStep
} from './switchover-report.ts'

const CLIENT_ID = 'farlog-switchover'
const LAG_LOOK_INTERVAL_MS = 1_000
/** A dry run waits for nothing but to see whether the source is quiet. */
const DRY_RUN_GRACE_MS = 1_000
const HALTED: ReadonlySet<string> = new Set<PartitionRow['state']>(['gap', 'recreated', 'diverged', 'unreachable'])

/**
 * Does all of it, or nothing.
 * @throws ClusterError where the destination can't be reached; the signal's reason where it was interrupted, and then the same call
 * goes on where it was
 */
export async function switchOver(options: SwitchoverOptions): Promise<SwitchoverReport> {
  const { config, flow } = options
  await using sides = await FlowSides.open(config, flow, CLIENT_ID)
  await using book = new OrderBook(sides, CLIENT_ID)
  const switchover = new Switchover(options, sides, book)
  return await switchover.run()
}

class Switchover {
  readonly #options: SwitchoverOptions
  readonly #sides: FlowSides
  readonly #book: OrderBook
  readonly #reason: string
  readonly #deadlineMs: number
  readonly #problems: { step: SwitchoverStep; problem: string }[] = []
  readonly #warnings: string[] = []
  /** Our own, of this run or of one before. */
  #order: FlowOrder | undefined
  #groups: readonly GroupOutcome[] = []
  #groupsAtSource: readonly string[] = []
  #verified: FlowReport | undefined
  #losses: readonly PartitionLoss[] | undefined
  #reverse: ReverseStart | undefined

  constructor(options: SwitchoverOptions, sides: FlowSides, book: OrderBook) {
    this.#options = options
    this.#sides = sides
    this.#book = book
    this.#reason = `switchover to ${options.flow.destination.alias}`
    const { isDryRun, quietMs, timeoutMs } = options
    this.#deadlineMs = performance.now() + (isDryRun ? quietMs + DRY_RUN_GRACE_MS : timeoutMs)
  }

  async run(): Promise<SwitchoverReport> {
    const { flow, isDryRun, reverseGroupId, signal } = this.#options
    let step: SwitchoverStep = 'ready'
    try {
      this.#assertPossible()
      await using reverseSides = await FlowSides.open(this.#options.config, reverseOf(flow, reverseGroupId), CLIENT_ID)
      await using reverseBook = new OrderBook(reverseSides, CLIENT_ID)
      this.#order = await this.#ownOrder()
      if (this.#order !== undefined && (await this.#isDone(reverseBook, this.#order)))
        return this.#report('switched over')
      const steps: Record<SwitchoverStep, () => Promise<void>> = {
        ready: () => this.#ready(reverseSides),
        lag: () => this.#lag(),
        producers: () => this.#producers(),
        drained: () => this.#drained(),
        groups: () => this.#moveGroups(reverseSides),
        verify: () => this.#verify(reverseSides, reverseBook),
        stop: () => this.#stop(),
        reverse: () => this.#startReverse(reverseSides, reverseBook)
      }
      for (step of SWITCHOVER_STEPS) {
        try {
          await steps[step]()
        } catch (error) {
          // A dry run wants to know of everything that stands in the way.
          if (!isDryRun || !(error instanceof StepRefused)) throw error
          this.#refused(step, error.message)
        }
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!isExpected(error)) throw error
      this.#refused(step, error.message)
      return this.#report(await this.#undo(error.message))
    }
    if (isDryRun) return this.#report(this.#problems.length === 0 ? 'ready' : 'refused')
    return this.#report('switched over')
  }

  /** What no waiting changes. */
  #assertPossible(): void {
    const { config, flow } = this.#options
    const { sourceProblem } = this.#sides
    if (config.replicationPolicy !== 'identity') {
      const copy = `${flow.source.alias}${config.replicationPolicySeparator}orders`
      throw new StepRefused(
        `topics have other names at ${flow.destination.alias} (${copy} for orders), so that what is written there could not be ` +
          'mirrored back: a switchover needs FARLOG_REPLICATION_POLICY=identity'
      )
    }
    if (sourceProblem !== undefined) {
      throw new StepRefused(`${sourceProblem.message}; where the source is gone, use farlog failover`)
    }
  }

  /** The order of a switchover that was interrupted. @throws StepRefused where somebody else has stopped the flow */
  async #ownOrder(): Promise<FlowOrder | undefined> {
    const newest = await this.#book.newest()
    if (newest === undefined || newest.action === 'START') return undefined
    if (newest.action === 'STOP' && newest.reason === this.#reason) return newest
    const { orderedBy, reason } = newest
    throw new StepRefused(
      `the flow was stopped by ${orderedBy} (${reason}): see to that first; farlog start lets it run`
    )
  }

  async #isDone(reverseBook: OrderBook, order: FlowOrder): Promise<boolean> {
    const newest = await reverseBook.newest()
    if (newest?.action !== 'START' || newest.reason !== this.#startReason(order)) return false
    this.#losses = this.#book.lossesOf(order.id)
    const at = new Date(order.orderedAt).toISOString()
    this.#options.say('reverse', `switched over already, by the order of ${order.orderedBy} at ${at}: nothing to do`)
    return true
  }

  #startReason({ id }: FlowOrder): string {
    return `${this.#reason}, order ${id}`
  }

  async #ready(reverseSides: FlowSides): Promise<void> {
    const { flow, config, say, signal } = this.#options
    const overview = await this.#observe()
    const problems: string[] = overview.problems.map(({ message }) => message)
    const halted = overview.partitions.filter(({ state }) => HALTED.has(state))
    if (halted.length > 0) {
      problems.push(
        `${named(halted.map(({ topic, partition, state }) => `${topic}-${partition} (${state})`))}: see farlog status`
      )
    }
    const { workers, totals } = overview
    if (workers === 0 && totals.lagRecords > 0 && this.#order === undefined) {
      problems.push(`${totals.lagRecords} records wait and no worker is running: start one (farlog run)`)
    }
    if (problems.length > 0) throw new StepRefused(problems.join('; '))
    if (config.delivery === 'at-least-once') {
      this.#warnings.push(
        'with FARLOG_DELIVERY=at-least-once there is no fence: end all workers of this flow afterwards'
      )
    }
    const back = await reverseSides.workers(signal)
    if (back === 0) {
      const { source, destination } = flow
      this.#warnings.push(
        `no worker mirrors ${destination.alias} → ${source.alias} yet: start one (FARLOG_SOURCE=${destination.alias} ` +
          `FARLOG_DESTINATIONS=${source.alias} farlog run)`
      )
    }
    const stopped = this.#order === undefined ? '' : '; going on with a switchover that was interrupted'
    say(
      'ready',
      `${totals.partitions} partitions, ${workers ?? 'unknown'} workers, ${back ?? 'unknown'} for the way back${stopped}`
    )
  }

  /** Workers of a flow that stands still make no lag smaller: then what is drained says it all. */
  async #lag(): Promise<void> {
    const { maxLagSeconds, say, signal } = this.#options
    if (this.#order !== undefined) return say('lag', 'the flow stands still already')
    for (;;) {
      const { partitions, problems } = await this.#observe()
      const late = partitions.filter(row => !isWithin(row, maxLagSeconds))
      if (late.length === 0 && problems.length === 0) {
        const lagSeconds = Math.max(0, ...partitions.map(row => row.lagSeconds ?? 0))
        return say('lag', `${duration(lagSeconds)}, of ${duration(maxLagSeconds)} allowed`)
      }
      const names = late.map(({ topic, partition, lagSeconds, lagRecords }) => {
        const behind = lagSeconds === null ? `${lagRecords ?? 'unknown'} records` : duration(lagSeconds)
        return `${topic}-${partition} (${behind})`
      })
      const what = problems[0]?.message ?? `more than ${duration(maxLagSeconds)} behind: ${named(names)}`
      if (this.#isOver) throw new StepRefused(what)
      say('lag', `${what}; waiting`)
      await pause(LAG_LOOK_INTERVAL_MS, signal)
      signal.throwIfAborted()
    }
  }

  #ends: ReadonlyMap<string, number> = new Map()

  async #producers(): Promise<void> {
    const { quietMs, say, signal } = this.#options
    const partitions = await this.#partitions()
    this.#ends = await untilQuiet({
      ...{ source: this.#sides.source, destination: this.#sides.destination.alias, partitions },
      ...{ quietMs, deadlineMs: this.#deadlineMs, signal },
      growing: what => say('producers', `still written to: ${what}; waiting`)
    })
    say('producers', `nothing new in ${partitions.length} partitions for ${quietMs / 1000} s`)
  }

  async #drained(): Promise<void> {
    const { say, signal } = this.#options
    await untilDrained({
      ...{ sides: this.#sides, ends: this.#ends, deadlineMs: this.#deadlineMs, signal },
      partitions: () => this.#partitions()
    })
    say('drained', `everything is at ${this.#sides.destination.alias}`)
  }

  async #moveGroups(reverseSides: FlowSides): Promise<void> {
    const { config, flow, signal, say } = this.#options
    await using translator = new FlowTranslator(config, flow)
    await translator.open(signal)
    const home = await readHomePositions(this.#sides, reverseSides, signal)
    const failover = this.#failover('groups')
    this.#groups = await failover.moveGroups(translator, home)
    this.#warnings.push(...failover.warnings)
    const failed = this.#groups.filter(({ outcome }) => outcome === 'failed')
    if (failed.length > 0) {
      throw new StepRefused(named(failed.map(({ group, detail }) => `group ${group}: ${detail}`)))
    }
    this.#groupsAtSource = await this.#readGroupsAtSource()
    if (this.#groupsAtSource.length > 0) {
      say('groups', `still at work at ${flow.source.alias}: ${named(this.#groupsAtSource)}`)
      this.#warnings.push(
        `groups have members at ${flow.source.alias} still: ${named(this.#groupsAtSource)}; what they commit there from now on ` +
          'is not brought over, and they read it again'
      )
    }
  }

  async #verify(reverseSides: FlowSides, reverseBook: OrderBook): Promise<void> {
    const { verify, isDryRun, say, signal } = this.#options
    if (verify === undefined) return say('verify', 'left out, as asked for')
    if (isDryRun) return say('verify', 'left out in a dry run: see farlog verify')
    await reverseBook.newest()
    const unbegun = await findUnbegun(reverseSides, reverseBook, await this.#partitions(), signal)
    // What others have written at the destination counts for where the way back begins, whenever it was compared.
    this.#verified = await verify(unbegun.length > 0)
    const { verdict, totals, failures } = this.#verified
    if (verdict === 'could not compare')
      throw new StepRefused(`could not compare: ${failures[0]?.message ?? 'unknown'}`)
    if (verdict === 'DIFFERENT') {
      throw new StepRefused('source and destination differ: see farlog verify; --no-verify goes on all the same')
    }
    say('verify', `${totals.equal} records are equal`)
  }

  async #stop(): Promise<void> {
    const { isDryRun, say, signal } = this.#options
    const failover = this.#failover('stop')
    const order = await failover.stop()
    if (isDryRun || order === undefined) return
    this.#warnings.push(...failover.warnings.splice(0))
    if (order.reason !== this.#reason) {
      throw new StepRefused(`the flow was stopped by ${order.orderedBy} (${order.reason}) meanwhile`)
    }
    this.#order = order
    await failover.drain(order)
    const partitions = await this.#partitions()
    await failover.shutOutAll(partitions)
    const losses = await exactLosses(this.#sides, await readLosses(this.#sides, partitions, order.id, signal), signal)
    const lost = losses.filter(({ lostRecordsMax }) => lostRecordsMax !== 0)
    if (lost.length > 0) {
      const names = lost.map(
        ({ topic, partition, lostRecordsMax }) => `${topic}-${partition} (${lostRecordsMax ?? 'unknown'})`
      )
      throw new StepRefused(`records came to the source after it was quiet: ${named(names)}`)
    }
    await this.#book.leave(losses)
    this.#losses = losses
    say('stop', 'nothing is lost; the report is kept in the event log')
  }

  async #startReverse(reverseSides: FlowSides, reverseBook: OrderBook): Promise<void> {
    const { flow, isDryRun, orderedBy, say, signal } = this.#options
    const name = `${flow.destination.alias} → ${flow.source.alias}`
    if (isDryRun) return say('reverse', `${name} would be started`)
    // What is not compared may be anything: then all of it is read, and what came from the source is found out to have.
    const verified = this.#verified?.topics
    const readsWhole = (topic: string) => verified?.find(each => each.topic === topic)?.foreign !== 0
    this.#reverse = await startReverse({
      ...{ sides: reverseSides, book: reverseBook, losses: this.#losses ?? [] },
      ...{ readsWhole, reason: this.#startReason(this.#order!) },
      ...{ orderedBy, isDryRun, signal }
    })
    const { begun, going, workers } = this.#reverse
    say('reverse', `${name} runs: ${begun} partitions begin, ${going} go on; ${workers ?? 'unknown'} workers`)
  }

  #failover(step: SwitchoverStep): Failover {
    const { config, flow, groups, isDryRun, orderedBy, say, signal } = this.#options
    const options = {
      ...{ config, flow, groups, isDryRun, orderedBy, signal, reason: this.#reason },
      say: (_: string, what: string) => say(step, what),
      report: async () => {}
    }
    return new Failover(options, this.#sides, this.#book)
  }

  async #observe(): Promise<FlowOverview> {
    const { config, flow, signal } = this.#options
    await using observer = new FlowObserver(config, flow, { topics: undefined, nowMs: () => Date.now() })
    return await observer.observe(signal)
  }

  /** Those that are mirrored and are at the source now; heartbeats never stop. */
  async #partitions(): Promise<FlowPartition[]> {
    const { source, destination, pairs } = this.#sides
    await Promise.all([source.refresh(), destination.refresh()])
    const all = await this.#sides.partitions(this.#options.signal)
    return all.filter(
      ({ topic, partition }) =>
        pairs.pairOf(topic, partition) !== undefined && source.topic(topic)?.partitions[partition] !== undefined
    )
  }

  async #readGroupsAtSource(): Promise<string[]> {
    const { config, flow, groups } = this.#options
    const isConfigured = compileNameFilter(config.groups)
    const isAskedFor = groups === undefined ? () => true : compileNameFilter({ include: groups, exclude: [] })
    return (await listGroups(this.#sides.source))
      .filter(({ state }) => state !== 'Empty' && state !== 'Dead')
      .map(({ groupId }) => groupId)
      .filter(group => group !== flow.groupId && isConfigured(group) && isAskedFor(group))
      .toSorted()
  }

  get #isOver(): boolean {
    return performance.now() > this.#deadlineMs
  }

  #refused(step: SwitchoverStep, problem: string): void {
    this.#problems.push({ step, problem })
    this.#options.say(step, problem)
  }

  /** Takes our own STOP back. */
  async #undo(problem: string): Promise<'refused' | 'stuck'> {
    const { isDryRun, orderedBy, flow } = this.#options
    if (isDryRun) return 'refused'
    try {
      const newest = await this.#book.newest()
      if (newest?.action !== 'STOP' || newest.reason !== this.#reason) return 'refused'
      await this.#book.give({ action: 'START', reason: `${this.#reason} undone: ${problem}`, orderedBy })
      this.#order = undefined
      return 'refused'
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      const name = `${flow.source.alias} → ${flow.destination.alias}`
      this.#warnings.push(`${name} may be stopped, and could not be started again (${error.message}): use farlog start`)
      return 'stuck'
    }
  }

  #report(outcome: SwitchoverReport['outcome']): SwitchoverReport {
    const { flow, isDryRun } = this.#options
    return {
      ...{ source: flow.source.alias, destination: flow.destination.alias, isDryRun, outcome },
      ...{ problems: this.#problems, warnings: this.#warnings, order: this.#order ?? null },
      ...{ groups: this.#groups, groupsAtSource: this.#groupsAtSource },
      verified: this.#verified ? { verdict: this.#verified.verdict, totals: this.#verified.totals } : null,
      loss: this.#losses ? { ...totalLoss(this.#losses), losses: this.#losses } : null,
      reverse: this.#reverse ?? null
    }
  }
}

/** What a cluster or a record can be to blame for. */
function isExpected(error: unknown): error is Error {
  return (
    error instanceof StepRefused ||
    error instanceof ClusterError ||
    error instanceof VerifyError ||
    error instanceof RecordsError
  )
}

function isWithin({ lagRecords, lagSeconds }: PartitionRow, maxLagSeconds: number): boolean {
  return lagRecords === 0 || (lagSeconds !== null && lagSeconds <= maxLagSeconds)
}
