/** What a failover leaves behind of one source partition, as Avro: `schemas/loss-report.avsc`. */
import { AvroValue } from '../avro/avro-value.ts'

/** The fields are described in the schema. */
export interface PartitionLoss {
  readonly orderId: string
  readonly source: string
  readonly destination: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string | null
  readonly destinationTopic: string
  readonly nextSourceOffset: number | null
  readonly lastSourceOffset: number | null
  readonly lastDestinationOffset: number | null
  readonly lastTimestamp: number | null
  readonly sourceEndOffset: number | null
  readonly sourceSeenAt: number | null
  readonly lostRecordsMax: number | null
  readonly lostSeconds: number | null
  readonly reportedAt: number
}

/** A row as a record's value, and rows as a file. */
export const PARTITION_LOSS = new AvroValue<PartitionLoss>('loss-report')
