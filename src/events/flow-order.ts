/**
 * Whether a flow may be mirrored, as Avro: `schemas/flow-order.avsc`. The newest order in the log holds, for every worker, now and
 * later; without any the flow is mirrored.
 */

import { AvroValue } from '../avro/avro-value.ts'
import type { OrderStatus, StopStatus } from '../observe/status.ts'

/** The fields are described in the schema. */
export interface FlowOrder {
  readonly action: 'STOP' | 'START' | 'STOP_AT'
  readonly id: string
  readonly source: string
  readonly destination: string
  readonly reason: string
  readonly orderedBy: string
  readonly orderedAt: number
  readonly stopAt: number | null
}

/** An order as a record's value. */
export const FLOW_ORDER = new AvroValue<FlowOrder>('flow-order')

/** The order that a flow stands still by, or will; as it is shown; `null` where it may be mirrored. */
export function stopStatus(newest: FlowOrder | undefined): StopStatus | null {
  if (newest === undefined || newest.action === 'START') return null
  const { id, orderedBy, orderedAt, reason, stopAt } = newest
  const until = stopAt === null ? null : new Date(stopAt).toISOString()
  return { id, stoppedBy: orderedBy, stoppedAt: new Date(orderedAt).toISOString(), stopAt: until, reason }
}

/** The newest order as it is shown, whatever it ordered. */
export function orderStatus(newest: FlowOrder | undefined): OrderStatus | null {
  if (newest === undefined) return null
  const { action, orderedBy, orderedAt, reason } = newest
  return { action, orderedBy, orderedAt: new Date(orderedAt).toISOString(), reason }
}
