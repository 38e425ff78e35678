import type { Cluster } from '../cluster/cluster.ts'
import type { Config } from '../config/types.ts'
import type { Dispatcher } from '../destination/dispatcher.ts'
import type { Fence } from '../destination/fence.ts'
import type { BufferPool } from '../records/buffer-pool.ts'
import type { Codec } from '../records/codecs.ts'
import type { BufferedBytes } from '../source/buffered-bytes.ts'
import type { SourceReader } from '../source/source-reader.ts'
import type { Latencies } from './latencies.ts'
import type { LogLevel, TroubleReport } from './messages.ts'
import type { Permits } from './permits.ts'
import type { StandingOrders } from './standing-orders.ts'

/** Takes what an operator should read; a line for each thing that happened. */
export type LogSink = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) => void

/** What the partitions of a flow share. */
export interface FlowContext {
  readonly source: Cluster
  readonly destination: Cluster
  readonly delivery: Config['delivery']
  readonly start: Config['start']
  readonly onGap: Config['onGap']
  /** `undefined`: each source batch's own. */
  readonly codec: Codec | undefined
  readonly pool: BufferPool
  readonly reader: SourceReader
  readonly dispatcher: Dispatcher
  /** What all partitions hold, fetched and not acknowledged. */
  readonly buffered: BufferedBytes
  /** How far behind the copy is kept on purpose. */
  readonly delayMs: number
  readonly fence: Fence
  readonly orders: StandingOrders
  /** Fences and tail reads at a time. */
  readonly establishing: Permits
  readonly latencies: Latencies
  fenced(): void
  troubled(report: TroubleReport): void
  retrying(operation: string, error: string): void
  readonly log: LogSink
}
