import type { Compression } from '../../test/support/produce.ts'

/** What a contender is asked to copy. */
export interface CopyOrder {
  /** Names this run's copies: the destination topics are `<alias>.<topic>`. */
  readonly alias: string
  readonly sourceBootstrap: string
  readonly destinationBootstrap: string
  /** Comma-separated regular expressions. */
  readonly topics: string
  readonly compression: Compression
}

/** A contender at work. `await using` ends it. */
export interface RunningContender extends AsyncDisposable {
  readonly pid: number
}

/** Something that copies Kafka topics. */
export interface Contender {
  readonly name: string
  start(order: CopyOrder): Promise<RunningContender>
}
