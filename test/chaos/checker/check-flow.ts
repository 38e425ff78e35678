import { comparePartition, type PartitionVerdict } from './compare-partition.ts'
import { PartitionReader } from './partition-reader.ts'
import type { WrittenBook } from './written.ts'

export interface FlowToCheck {
  readonly sourceAlias: string
  readonly sourceBootstrap: string
  readonly destinationBootstrap: string
  readonly topics: readonly CheckedTopic[]
  readonly books: readonly WrittenBook[]
}

export interface CheckedTopic {
  readonly name: string
  /** As many as it has now. */
  readonly partitions: number
  /** How many keys each partition has where it is compacted, else 0. */
  readonly compactedKeys: number
}

/** Compares each partition of the source with its copy under the default policy's name, reading both sides at once. */
export async function checkFlow(flow: FlowToCheck): Promise<PartitionVerdict[]> {
  const { sourceAlias, topics, books } = flow
  const places = topics.flatMap(({ name, partitions, compactedKeys }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition, compactedKeys }))
  )
  await using source = new PartitionReader({
    bootstrap: flow.sourceBootstrap,
    isolation: 'read_committed',
    partitions: places
  })
  await using destination = new PartitionReader({
    bootstrap: flow.destinationBootstrap,
    isolation: 'read_uncommitted',
    partitions: places.map(({ topic, partition }) => ({ topic: `${sourceAlias}.${topic}`, partition }))
  })
  const verdicts: PartitionVerdict[] = []
  for (const place of places) {
    const verdict = await comparePartition({
      ...place,
      sourceAlias,
      books: books.filter(({ topic, partition }) => topic === place.topic && partition === place.partition),
      source: source.nextPartition(),
      copies: destination.nextPartition()
    })
    verdicts.push(verdict)
  }
  return verdicts
}
