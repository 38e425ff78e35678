import { LATEST, listOffsets, partitionKey } from '../cluster/offsets.ts'
import { HomePositions, type ReverseProgress } from '../offsets/home-positions.ts'
import { ProvenanceReader } from '../rewrite/provenance.ts'
import { concurrently } from '../status/concurrently.ts'
import type { FlowSides } from './flow-sides.ts'
import { firstOwnOffset, READS_AT_A_TIME } from './own-records.ts'
import { readProgress } from './reverse-flow.ts'

/**
 * What was born at the destination, for groups that come over now. Behind the reverse flow's progress there may be nothing but copies
 * of the source's records, which a group has read where it comes from; so it is read where the first other one stands, and not
 * taken for what the reverse flow has not seen.
 * @returns `undefined` where nothing was ever mirrored the other way
 * @throws ClusterError where a cluster can't be read
 */
export async function readHomePositions(
  { source, destination }: FlowSides,
  reverse: FlowSides,
  signal: AbortSignal
): Promise<HomePositions | undefined> {
  const progress = await readProgress(reverse, signal)
  if (progress.size === 0) return undefined
  const known = (await reverse.partitions(signal)).filter(({ topic, partition }) => {
    return progress.has(partitionKey({ topic, partition })) && destination.topic(topic)?.partitions[partition]
  })
  const ends = await listOffsets(destination, known, LATEST, 'read_committed')
  const found = await concurrently(
    ends,
    READS_AT_A_TIME,
    async ({ topic, partition, offset: endOffset, error }): Promise<ReverseProgress> => {
      const { nextSourceOffset: fromOffset, destinationOffset: newestCopyOffset } = progress.get(
        partitionKey({ topic, partition })
      )!
      // Where it can't be asked, all behind progress counts as its own: a group then reads again, and misses nothing.
      if (error !== 'NONE') return { topic, partition, nextOffset: fromOffset, newestCopyOffset }
      const range = { topic, partition, fromOffset, endOffset }
      const first = await firstOwnOffset(destination, range, source.alias, signal)
      return { topic, partition, nextOffset: first ?? Number.POSITIVE_INFINITY, newestCopyOffset }
    }
  )
  const originOf = (topic: string, partition: number) => new ProvenanceReader(destination.alias, topic, partition)
  return new HomePositions(source, originOf, found, Number.POSITIVE_INFINITY)
}
