/** What happened to source partitions, as Avro: `schemas/source-event.avsc`. */

import { AvroValue } from '../avro/avro-value.ts'
import type { EventStatus } from '../observe/status.ts'

export type SourceEventKind = 'GAP' | 'RECREATED' | 'DIVERGED' | 'RESUME'
export type SourceEventAction = 'HALTED' | 'CONTINUED' | 'REQUESTED'

/** The fields are described in the schema. */
export interface SourceEvent {
  readonly kind: SourceEventKind
  readonly action: SourceEventAction
  readonly source: string
  readonly destination: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly firstOffset: number
  readonly nextOffset: number
  readonly destinationOffset: number | null
  readonly detail: string
  readonly observer: string
  readonly observedAt: number
}

/** An event as a record's value. */
export const SOURCE_EVENT = new AvroValue<SourceEvent>('source-event')

/** An event as it is shown. */
export function eventStatus(event: SourceEvent): EventStatus {
  const { observedAt, kind, action, topic, partition, firstOffset, nextOffset, detail } = event
  const at = new Date(observedAt).toISOString()
  return { observedAt: at, kind, action, topic, partition, firstOffset, nextOffset, detail }
}
