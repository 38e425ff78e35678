/**
 * `farlog failback`: the old source is back after an unplanned failover, and takes in what was written since.
 *
 *     ready        the old source answers, and its flow still stands still by the order of the failover
 *     divergence   of each partition: what had crossed, by the copies themselves, beside what the loss report said
 *     lost         what exists only at the old source is read, listed and exported
 *     decision     whether it is mirrored late, once the flow runs again, or stays where it is
 *     reverse      the flow back begins behind the copies, and runs
 *
 * The flow itself stays stopped: writers are at the destination now, and its workers would have the lost records arrive at once.
 * Each step does nothing that is done already, so the same command goes on where it was interrupted.
 */
import { LATEST, listOffset, partitionKey } from '../cluster/offsets.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import { concurrently } from '../status/concurrently.ts'
import type { Divergence } from './divergence.ts'
import type { FailbackOptions, FailbackReport } from './failback-report.ts'
import { type FlowPartition, FlowSides } from './flow-sides.ts'
import { findDivergences, type LostRange, readLost } from './lost-records.ts'
import { OrderBook } from './order-book.ts'
import { type ReverseStart, reverseOf, startReverse } from './reverse-flow.ts'
import { named, StepRefused } from './step-refused.ts'

const CLIENT_ID = 'farlog-failback'
const REQUESTS_AT_A_TIME = 32

/**
 * Does all of it, up to what can't be done.
 * @throws StepRefused what stands in the way; ClusterError where a cluster can't be asked or refuses. What was done until then stays
 * done, and does no harm
 */
export async function failBack(options: FailbackOptions): Promise<FailbackReport> {
  const { config, flow, isDryRun } = options
  await using sides = await FlowSides.open(config, flow, CLIENT_ID)
  await using book = new OrderBook(sides, CLIENT_ID)
  const failback = new Failback(options, sides, book)
  const { order, partitions } = await failback.ready()
  const divergences = await failback.diverge(order, partitions)
  const lost = await failback.readLost(divergences)
  await failback.decide(order, divergences, lost)
  const reverse = await failback.startReverse(order, divergences)
  return {
    ...{ source: flow.source.alias, destination: flow.destination.alias, isDryRun, orderId: order.id },
    warnings: failback.warnings,
    lost: {
      decision: options.lost,
      records: lost.reduce((sum, { records }) => sum + records, 0),
      bytes: lost.reduce((sum, { bytes }) => sum + bytes, 0),
      partitions: lost
    },
    reverse
  }
}

class Failback {
  readonly warnings: string[] = []
  readonly #options: FailbackOptions
  readonly #sides: FlowSides
  readonly #book: OrderBook

  constructor(options: FailbackOptions, sides: FlowSides, book: OrderBook) {
    this.#options = options
    this.#sides = sides
    this.#book = book
  }

  async ready(): Promise<{ order: FlowOrder; partitions: readonly FlowPartition[] }> {
    const { config, flow, say } = this.#options
    const { sourceProblem } = this.#sides
    if (config.replicationPolicy !== 'identity') {
      throw new StepRefused(
        `topics have other names at ${flow.destination.alias}, so that what is written there can’t be mirrored back: ` +
          'a failback needs FARLOG_REPLICATION_POLICY=identity'
      )
    }
    if (sourceProblem !== undefined) throw new StepRefused(`${sourceProblem.message}: the old source is not back`)
    const order = await this.#book.newest()
    const name = `${flow.source.alias} → ${flow.destination.alias}`
    if (order?.action !== 'STOP') {
      throw new StepRefused(`${name} is not stopped: there is nothing to come back from; farlog failover stops it`)
    }
    const partitions = await this.#partitions()
    const hasBegun = partitions.some(({ committed }) => committed !== undefined)
    if (hasBegun && this.#book.lossesOf(order.id).length === 0) {
      throw new StepRefused(`the failover of ${name} was not finished: run farlog failover again`)
    }
    const at = new Date(order.orderedAt).toISOString()
    say('ready', `${name} stands still since ${at}, by ${order.orderedBy}: ${order.reason}`)
    return { order, partitions }
  }

  async diverge(order: FlowOrder, partitions: readonly FlowPartition[]): Promise<Divergence[]> {
    const { say, signal, timeoutMs } = this.#options
    const reports = new Map(this.#book.lossesOf(order.id).map(loss => [partitionKey(loss), loss]))
    const deadlineMs = performance.now() + timeoutMs
    const found = await findDivergences(this.#sides, partitions, reports, order.id, deadlineMs, signal)
    for (const { topic, partition, problem } of found) {
      if (problem !== null) this.warnings.push(`${topic}-${partition}: ${problem}`)
    }
    const odd = found.filter(({ problem }) => problem !== null).length
    say(
      'divergence',
      `${found.length} partitions${odd === 0 ? ', all as the loss report has them' : `, ${odd} of them not as expected`}`
    )
    return found
  }

  async readLost(divergences: readonly Divergence[]): Promise<LostRange[]> {
    const { sinks, say, signal } = this.#options
    const take = async (record: Parameters<(typeof sinks)[number]['take']>[0]) => {
      for (const sink of sinks) await sink.take(record)
    }
    const lost = await readLost(this.#sides, divergences, take, signal)
    for (const sink of sinks) await sink.finish()
    const records = lost.reduce((sum, range) => sum + range.records, 0)
    const exported = sinks.length === 0 ? '' : ', exported'
    say('lost', `${records} records exist only at ${this.#sides.source.alias}${exported}`)
    return lost
  }

  /** To keep is to change nothing: the flow's own progress stands right before them. */
  async decide({ id }: FlowOrder, divergences: readonly Divergence[], lost: readonly LostRange[]): Promise<void> {
    const { lost: decision, isDryRun, orderedBy, say, flow } = this.#options
    const holding = divergences.flatMap((divergence, index) => {
      const { lastOffset } = lost[index]!
      return lastOffset === null ? [] : [{ ...divergence, firstOffset: lastOffset + 1 }]
    })
    const isSkipped = ({ firstOffset, ...partition }: (typeof holding)[number]) => {
      const request = this.#book.requestFor(partition)
      return request?.topicId === partition.topicId && request.firstOffset >= firstOffset
    }
    if (decision === 'keep') {
      const skipped = holding.filter(isSkipped)
      if (skipped.length > 0) {
        this.warnings.push(
          `to skip them was decided before, which stands: ${named(skipped.map(({ topic, partition }) => `${topic}-${partition}`))}; ` +
            'farlog resume --from takes it back, once the flow runs'
        )
      }
      return say('decision', `they are mirrored to ${flow.destination.alias}, late, once the flow is started again`)
    }
    const unskipped = holding.filter(partition => !isSkipped(partition))
    if (!isDryRun) {
      await concurrently(
        unskipped,
        REQUESTS_AT_A_TIME,
        async ({ topic, partition, topicId, firstOffset, reported }) => {
          const copy = { topic: reported.destinationTopic, partition }
          // Whatever comes from there on stands behind all that is there now.
          const destinationOffset = await listOffset(this.#sides.destination, copy, LATEST, 'read_uncommitted')
          await this.#book.request({
            ...{ topic, partition, topicId, firstOffset, destinationOffset },
            ...{ observer: orderedBy, observedAt: Date.now() },
            detail: `failback, order ${id}: ${topic}-${partition} goes on behind what exists only at ${flow.source.alias}`
          })
        }
      )
    }
    say('decision', `they stay at ${flow.source.alias}: the flow goes on behind them in ${holding.length} partitions`)
  }

  async startReverse({ id }: FlowOrder, divergences: readonly Divergence[]): Promise<ReverseStart> {
    const { config, flow, reverseGroupId, isDryRun, orderedBy, readsWhole, say, signal } = this.#options
    await using sides = await FlowSides.open(config, reverseOf(flow, reverseGroupId), CLIENT_ID)
    await using book = new OrderBook(sides, CLIENT_ID)
    const reverse = await startReverse({
      ...{ sides, book, losses: divergences.map(({ reported }) => reported), readsWhole: () => readsWhole },
      ...{ reason: `failback to ${flow.source.alias}, order ${id}`, orderedBy, isDryRun, signal }
    })
    const { begun, going, workers } = reverse
    const name = `${flow.destination.alias} → ${flow.source.alias}`
    if (workers === 0) {
      this.warnings.push(
        `no worker mirrors ${name} yet: start one (FARLOG_SOURCE=${flow.destination.alias} ` +
          `FARLOG_DESTINATIONS=${flow.source.alias} farlog run)`
      )
    }
    const would = isDryRun ? 'would run' : 'runs'
    say(
      'reverse',
      `${name} ${would}: ${begun} partitions begin behind the copies, ${going} go on; ${workers ?? 'unknown'} workers`
    )
    return reverse
  }

  /** Those that are mirrored and are at the old source; heartbeats are nobody's loss. */
  async #partitions(): Promise<FlowPartition[]> {
    const { source, pairs } = this.#sides
    return (await this.#sides.partitions(this.#options.signal)).filter(
      ({ topic, partition }) =>
        pairs.pairOf(topic, partition) !== undefined && source.topic(topic)?.partitions[partition] !== undefined
    )
  }
}
