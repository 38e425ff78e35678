/** What the main thread and the thread that verifies in the background tell each other. */
import type { LogLevel, PartitionKey } from './messages.ts'

/** A source partition, and the source offset below which all of it is mirrored. */
export interface MirroredPartition extends PartitionKey {
  readonly mirroredUpTo: number
}

export type ToVerifier =
  /** These are ours now, and no others. */
  | { readonly kind: 'watch'; readonly flow: number; readonly partitions: readonly MirroredPartition[] }
  /** Answers `remember`; with the error where it could not be done. */
  | {
      readonly kind: 'remembered'
      readonly id: number
      readonly failure: { readonly code: string; readonly message: string } | undefined
    }

export type FromVerifier =
  | ({ readonly kind: 'verified'; readonly flow: number; readonly sourceOffset: number } & PartitionKey)
  | ({ readonly kind: 'found'; readonly flow: number; readonly differences: number } & PartitionKey)
  /** Only the main thread can write. */
  | { readonly kind: 'remember'; readonly flow: number; readonly id: number; readonly verified: Uint8Array }
  | {
      readonly kind: 'log'
      readonly level: LogLevel
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }
