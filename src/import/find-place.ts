/** Which source offset comes next in one partition that MirrorMaker 2 has mirrored. */
import type { Cluster } from '../cluster/cluster.ts'
import { EARLIEST, type Isolation, LATEST, listOffset } from '../cluster/offsets.ts'
import { type ReadRecord, readRecords } from '../cluster/record-reader.ts'
import type { PartitionPair } from '../status/topic-pairs.ts'
import { type Anchor, LOOK_BACK_RECORDS, syncAnchors } from './anchors.ts'
import { digestOf, type Followed, followCopies } from './follow-copies.ts'
import type { LeftBehind } from './mirror-maker-state.ts'

/** Where a partition is to go on, or why that can't be told. */
export type Place =
  | { readonly kind: 'found'; readonly nextSourceOffset: number; readonly logs: Logs; readonly repeated: number }
  /** MirrorMaker 2 has copied nothing of it. */
  | { readonly kind: 'untouched' }
  | { readonly kind: 'unclear'; readonly found: string; readonly logs: Logs | undefined }

/** What the logs hold at present. */
export interface Logs {
  readonly sourceStartOffset: number
  readonly sourceStableOffset: number
  readonly sourceEndOffset: number
  readonly destinationStartOffset: number
  readonly destinationEndOffset: number
  /** The last stable offset: before the end while a transaction is open. */
  readonly destinationStableOffset: number
}

export interface FindPlaceContext {
  readonly source: Cluster
  readonly destination: Cluster
  /** Tells the connections of partitions that are looked at at the same time apart. */
  readonly slot: number
  readonly signal: AbortSignal
}

/** @throws ClusterError where either side can't be read */
export async function findPlace(pair: PartitionPair, left: LeftBehind, context: FindPlaceContext): Promise<Place> {
  if (context.destination.topic(pair.destinationTopic)?.partitions[pair.partition] === undefined) {
    return left.lastWrittenOffset === undefined
      ? { kind: 'untouched' }
      : { kind: 'unclear', found: `there is no ${name(pair.destinationTopic, pair)}`, logs: undefined }
  }
  const logs = await listLogs(pair, context)
  const unclear = (found: string): Place => ({ kind: 'unclear', found, logs })
  const { lastWrittenOffset: position } = left
  if (logs.destinationStableOffset < logs.destinationEndOffset) {
    return unclear(`a transaction is open at the destination, from offset ${logs.destinationStableOffset} on`)
  }
  if (logs.destinationEndOffset === 0 && position === undefined) return { kind: 'untouched' }
  if (logs.destinationStartOffset === logs.destinationEndOffset) {
    // What MirrorMaker 2 has surely written is all that there was to be written.
    if (position !== undefined && position + 1 >= logs.sourceStableOffset) {
      return { kind: 'found', nextSourceOffset: position + 1, logs, repeated: 0 }
    }
    return unclear('the destination partition is empty, so there is nothing to compare with')
  }
  const anchors = await chooseAnchors(pair, left, logs, context)
  if (typeof anchors === 'string') return unclear(anchors)
  let found: string | undefined
  // MirrorMaker 2 also copies what was aborted, and what may still be, unless its consumer was told isolation.level=read_committed.
  for (const isolation of ['read_committed', 'read_uncommitted'] as const) {
    for (const anchor of anchors) {
      const followed = await follow(pair, anchor, logs, isolation, context)
      if (followed.kind !== 'together') {
        found ??= describe(followed, anchor)
      } else if (followed.nextSourceOffset <= (position ?? -1)) {
        found ??=
          `MirrorMaker 2 has written up to source offset ${position}, ` +
          `but the newest copy is of source offset ${followed.nextSourceOffset - 1}`
      } else {
        return { kind: 'found', nextSourceOffset: followed.nextSourceOffset, logs, repeated: followed.repeated }
      }
    }
  }
  return unclear(found!)
}

async function listLogs(
  { topic, destinationTopic, partition }: PartitionPair,
  context: FindPlaceContext
): Promise<Logs> {
  const from = { topic, partition }
  const to = { topic: destinationTopic, partition }
  const { source, destination } = context
  const [
    sourceStartOffset,
    sourceStableOffset,
    sourceEndOffset,
    destinationStartOffset,
    destinationStableOffset,
    destinationEndOffset
  ] = await Promise.all([
    listOffset(source, from, EARLIEST, 'read_uncommitted'),
    listOffset(source, from, LATEST, 'read_committed'),
    listOffset(source, from, LATEST, 'read_uncommitted'),
    listOffset(destination, to, EARLIEST, 'read_uncommitted'),
    listOffset(destination, to, LATEST, 'read_committed'),
    listOffset(destination, to, LATEST, 'read_uncommitted')
  ])
  return {
    sourceStartOffset,
    sourceStableOffset,
    sourceEndOffset,
    destinationStartOffset,
    destinationStableOffset,
    destinationEndOffset
  }
}

/** The best first; a sentence where there is none. */
async function chooseAnchors(
  pair: PartitionPair,
  { syncs, lastWrittenOffset }: LeftBehind,
  logs: Logs,
  context: FindPlaceContext
): Promise<Anchor[] | string> {
  const anchors = syncAnchors(syncs, lastWrittenOffset, logs)
  if (anchors.length > 0) return anchors
  if (lastWrittenOffset !== undefined) return findPosition(pair, lastWrittenOffset, logs, context)
  if (logs.destinationStartOffset === 0) return [{ sourceOffset: logs.sourceStartOffset, destinationOffset: 0 }]
  return 'neither a position nor an offset sync of MirrorMaker 2 is in reach of what both logs still hold'
}

/** The copy of the record at MirrorMaker 2's position: it must be the only one like it. */
async function findPosition(
  pair: PartitionPair,
  position: number,
  logs: Logs,
  context: FindPlaceContext
): Promise<Anchor[] | string> {
  const endOffset = Math.min(position + 1, logs.sourceEndOffset)
  const [original] = await collect(sourceRecords(pair, position, endOffset, 'read_uncommitted', context))
  if (original === undefined) {
    return `the source no longer has the record at MirrorMaker 2’s position (source offset ${position})`
  }
  const wanted = digestOf(original)
  const lookFrom = Math.max(logs.destinationStartOffset, logs.destinationEndOffset - LOOK_BACK_RECORDS)
  const copies: number[] = []
  for await (const copy of destinationRecords(pair, lookFrom, logs, context)) {
    if (digestOf(copy) === wanted) copies.push(copy.offset)
  }
  const [first] = copies
  if (copies.length === 1) return [{ sourceOffset: position, destinationOffset: first! }]
  const where = `destination offsets ${lookFrom} to ${logs.destinationEndOffset - 1}`
  return first === undefined
    ? `no copy of source offset ${position}, MirrorMaker 2’s position, is in ${where}`
    : `${copies.length} copies of source offset ${position}, MirrorMaker 2’s position, are in ${where}, and no offset sync tells them apart`
}

function follow(
  pair: PartitionPair,
  anchor: Anchor,
  logs: Logs,
  isolation: Isolation,
  context: FindPlaceContext
): Promise<Followed> {
  const endOffset = isolation === 'read_committed' ? logs.sourceStableOffset : logs.sourceEndOffset
  return followCopies(
    sourceRecords(pair, anchor.sourceOffset, endOffset, isolation, context),
    destinationRecords(pair, anchor.destinationOffset, logs, context)
  )
}

async function* sourceRecords(
  { topic, partition }: PartitionPair,
  fromOffset: number,
  endOffset: number,
  isolation: Isolation,
  { source, slot, signal }: FindPlaceContext
): AsyncGenerator<ReadRecord> {
  const range = { topic, partition, topicId: source.topic(topic)!.topicId, fromOffset, endOffset }
  const options = { purpose: `import ${slot}`, isolation, signal }
  for await (const { records } of readRecords(source, range, options)) yield* records
}

async function* destinationRecords(
  { destinationTopic: topic, partition }: PartitionPair,
  fromOffset: number,
  { destinationStableOffset: endOffset }: Logs,
  { destination, slot, signal }: FindPlaceContext
): AsyncGenerator<ReadRecord> {
  const range = { topic, partition, topicId: destination.topic(topic)!.topicId, fromOffset, endOffset }
  for await (const { records } of readRecords(destination, range, { purpose: `import ${slot}`, signal })) yield* records
}

async function collect(records: AsyncIterable<ReadRecord>): Promise<ReadRecord[]> {
  const collected: ReadRecord[] = []
  for await (const record of records) collected.push(record)
  return collected
}

function describe(followed: Exclude<Followed, { kind: 'together' }>, anchor: Anchor): string {
  if (followed.kind === 'nothing') return `the destination holds no record from offset ${anchor.destinationOffset} on`
  const { destinationOffset, expectedSourceOffset, differing, copies } = followed
  const since = `followed from source offset ${anchor.sourceOffset}, ${copies} copies on`
  if (expectedSourceOffset === undefined) {
    return `destination offset ${destinationOffset} is no copy of anything: the source has no more records (${since})`
  }
  return (
    `destination offset ${destinationOffset} is no copy of source offset ${expectedSourceOffset}, ` +
    `whose turn it is: ${differing.join(', ')} differ${differing.length === 1 ? 's' : ''} (${since})`
  )
}

function name(topic: string, { partition }: { readonly partition: number }): string {
  return `${topic}-${partition}`
}
