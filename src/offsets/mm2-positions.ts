/**
 * How far a MirrorMaker 2 flow says it has got: what its source connector keeps in Kafka Connect's offsets topic (MirrorUtils.wrapPartition and
 * wrapOffset, by way of Connect's JSON converter).
 *
 *     ["MirrorSourceConnector",{"cluster":"east","partition":0,"topic":"orders"}]   →   {"offset":181}
 */
import type { TopicPartition } from '../cluster/offsets.ts'

/** What one record of the offsets topic says of a source partition. */
export interface Mm2Position extends TopicPartition {
  /** Source offset of the last record that was surely written to the destination; `null` where the position was taken back. */
  readonly lastWrittenOffset: number | null
}

/** Where MirrorMaker 2 in its dedicated mode keeps its positions, at the destination (MirrorMakerConfig.workerConfig). */
export function mm2OffsetsTopic(sourceAlias: string): string {
  return `mm2-offsets.${sourceAlias}.internal`
}

/**
 * `undefined` for what is no position in a partition of this source: other sources', and other connectors', whose partitions have
 * other fields.
 */
export function decodePosition(sourceAlias: string, key: Buffer | null, value: Buffer | null): Mm2Position | undefined {
  const parsedKey = parseJson(key)
  if (!Array.isArray(parsedKey) || parsedKey.length !== 2) return undefined
  const { cluster, topic, partition } = fieldsOf(parsedKey[1])
  if (cluster !== sourceAlias || typeof topic !== 'string' || !isOffset(partition)) return undefined
  const { offset } = fieldsOf(parseJson(value))
  return { topic, partition, lastWrittenOffset: isOffset(offset) ? offset : null }
}

function parseJson(bytes: Buffer | null): unknown {
  if (bytes === null) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
