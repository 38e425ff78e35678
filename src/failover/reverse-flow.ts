/**
 * The flow that brings back to the source what is written at the destination from now on. What it has to read begins behind the
 * newest copy there: all before came from the source, and would only be found out to have, record by record.
 *
 *     destination   … c c c m c m │ n  n  n …       c: copy, m: marker, n: written there since
 *                             ▲   └ the reverse flow begins
 *                             lastDestinationOffset of the loss report
 *
 * Where it begins is asked for in the reverse flow's event log, as `farlog resume` does: that works with and without workers, and is
 * obeyed once. A partition that the reverse flow has progress in goes on from there.
 */
import { EARLIEST, LATEST, listOffset, partitionKey } from '../cluster/offsets.ts'
import { defaultGroupId } from '../config/load.ts'
import type { FlowConfig } from '../config/types.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import type { PartitionLoss } from '../events/partition-loss.ts'
import type { Progress } from '../flow/messages.ts'
import { concurrently } from '../status/concurrently.ts'
import type { FlowSides } from './flow-sides.ts'
import type { OrderBook } from './order-book.ts'
import type { CopiedPartition } from './shut-out.ts'

/** What was done to have the reverse flow run. */
export interface ReverseStart {
  readonly groupId: string
  /** Workers in its group at present; `null` where nobody tells. */
  readonly workers: number | null
  /** Partitions that were asked to begin behind the newest copy. */
  readonly begun: number
  /** Those that go on where they were, or had been asked before. */
  readonly going: number
  /** The order that says so; `null` in a dry run. */
  readonly order: FlowOrder | null
}

export interface ReverseStartOptions {
  /** Of the reverse flow. */
  readonly sides: FlowSides
  /** Of the reverse flow. */
  readonly book: OrderBook
  /** Of the flow itself: where its copies end. */
  readonly losses: readonly PartitionLoss[]
  /** Of these topics the reverse flow reads all there is, for others wrote to them at the destination before. */
  readonly readsWhole: (topic: string) => boolean
  /** Shown with the order. */
  readonly reason: string
  readonly orderedBy: string
  readonly isDryRun: boolean
  readonly signal: AbortSignal
}

const ASKED_AT_A_TIME = 32

/** The same clusters the other way around. @param groupId of its workers, where it is not the default */
export function reverseOf({ source, destination }: FlowConfig, groupId: string | undefined): FlowConfig {
  return {
    source: destination,
    destination: source,
    groupId: groupId ?? defaultGroupId(destination.alias, source.alias)
  }
}

/**
 * Says where the reverse flow begins and lets its workers run: those that are there, and those that come. Done twice it changes
 * nothing.
 * @throws ClusterError where a cluster can't be asked, or the event log can't be written
 */
export async function startReverse(options: ReverseStartOptions): Promise<ReverseStart> {
  const { sides, book, losses, reason, orderedBy, isDryRun, signal } = options
  const newest = await book.newest()
  // A topic that is not there can't be read either.
  const there = losses.filter(loss => topicIdOf(sides, loss) !== undefined)
  const unbegun = await findUnbegun(sides, book, there, signal)
  if (!isDryRun) await concurrently(unbegun, ASKED_AT_A_TIME, loss => begin(options, loss))
  const standing = newest?.action === 'START' && newest.reason === reason ? newest : undefined
  const order = isDryRun ? null : (standing ?? (await book.give({ action: 'START', reason, orderedBy })))
  return {
    groupId: sides.flow.groupId,
    workers: (await sides.workers(signal)) ?? null,
    begun: unbegun.length,
    going: there.length - unbegun.length,
    order
  }
}

/**
 * Those of which the reverse flow has no progress, and nobody has asked it to begin anywhere. `book.newest` is to be called before.
 * @throws ClusterError where a cluster can't be asked
 */
export async function findUnbegun<Partition extends CopiedPartition>(
  sides: FlowSides,
  book: OrderBook,
  partitions: readonly Partition[],
  signal: AbortSignal
): Promise<Partition[]> {
  const progress = await readProgress(sides, signal)
  return partitions.filter(partition => {
    const copy = { topic: partition.destinationTopic, partition: partition.partition }
    return !progress.has(partitionKey(copy)) && book.requestFor(copy)?.topicId !== topicIdOf(sides, partition)
  })
}

/** How far a flow is with each partition, by the source partition's key. @throws ClusterError */
export async function readProgress(sides: FlowSides, signal: AbortSignal): Promise<Map<string, Progress>> {
  const partitions = await sides.partitions(signal)
  return new Map(
    partitions.flatMap(partition =>
      partition.committed === undefined ? [] : [[partitionKey(partition), partition.committed] as const]
    )
  )
}

async function begin({ sides, book, readsWhole, orderedBy, reason }: ReverseStartOptions, loss: PartitionLoss) {
  const { source, destination } = sides
  const read = { topic: loss.destinationTopic, partition: loss.partition }
  const written = { topic: loss.topic, partition: loss.partition }
  const isBehindCopies = loss.lastDestinationOffset !== null && !readsWhole(loss.topic)
  const firstOffset = isBehindCopies
    ? loss.lastDestinationOffset + 1
    : await listOffset(source, read, EARLIEST, 'read_uncommitted')
  // What the reverse flow may have copied already stands behind what crossed, or at the end of a log that came back shorter: from
  // there on it is looked for, so that it is not copied again.
  const end = await listOffset(destination, written, LATEST, 'read_uncommitted')
  const start = await listOffset(destination, written, EARLIEST, 'read_uncommitted')
  const destinationOffset = Math.min(loss.nextSourceOffset ?? start, end)
  await book.request({
    ...read,
    topicId: topicIdOf(sides, loss) ?? '',
    ...{ firstOffset, destinationOffset, observer: orderedBy, observedAt: Date.now() },
    detail: `${reason}: ${read.topic}-${read.partition} begins at offset ${firstOffset}, behind what came from ${destination.alias}`
  })
}

function topicIdOf({ source }: FlowSides, { destinationTopic, partition }: CopiedPartition): string | undefined {
  const topic = source.topic(destinationTopic)
  return topic?.partitions[partition] === undefined ? undefined : topic.topicId
}
