import { ClusterError } from '../cluster/errors.ts'
import type { WriteFailure } from '../destination/partition-writer.ts'
import type { FlowOrder } from '../events/flow-order.ts'
import { RecordsError } from '../records/errors.ts'

/**
 * Why a partition stands still while the others go on: the `reason` label of `farlog_halted_partitions`.
 * The value says whether time may heal it: then it is tried again with growing pauses; otherwise somebody has to decide,
 * because going on would skip records, mix two histories, or write where nobody is to write any more.
 */
const HEALABLE = {
  /** Source records were deleted (retention) before they were mirrored. */
  gap: false,
  /** The source topic was deleted and made again. */
  recreated: false,
  /** The source's log was cut back below what was mirrored (unclean leader election). */
  diverged: false,
  /** Somebody has ordered that nobody mirrors the flow. It goes on with the next order, not with time. */
  stopped: false,
  /** A source batch whose CRC or layout is wrong. */
  'corrupt-batch': true,
  /** A source batch in a form that can't be mirrored: message format 0 or 1, an unknown codec, an absurd timestamp. */
  'unsupported-batch': true,
  /** A record larger than the destination takes. */
  'record-too-large': true,
  /** An ACL is missing. */
  'not-authorized': true,
  /** Another worker writes this partition. */
  fenced: true,
  /** The source refuses to be read. */
  'source-refused': true,
  /** The destination refuses what is sent. */
  'destination-refused': true,
  /** A bug in farlog: please report it. */
  unexpected: true
} as const

export type HaltReason = keyof typeof HEALABLE

export interface Halt {
  readonly reason: HaltReason
  /** One sentence for a person: which offsets, and what to do. */
  readonly detail: string
  /** What happened to the source, where that is the reason. */
  readonly trouble?: SourceTrouble
}

/** What happened to a source partition; the offsets mean what `schemas/source-event.avsc` says. */
export interface SourceTrouble {
  readonly kind: 'GAP' | 'RECREATED' | 'DIVERGED'
  readonly firstOffset: number
  readonly nextOffset: number
}

/** Thrown where a partition can't go on. */
export class HaltError extends Error {
  readonly halt: Halt

  constructor(halt: Halt) {
    super(halt.detail)
    this.name = 'HaltError'
    this.halt = halt
  }
}

/** Whether to try again after a pause. */
export function isHealable({ reason }: Halt): boolean {
  return HEALABLE[reason]
}

const AUTHORIZATION_ERRORS = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED'
])

const UNSUPPORTED = new Set(['UNSUPPORTED_MAGIC', 'UNKNOWN_CODEC', 'TIMESTAMP_OUT_OF_RANGE'])

/** What an error that ended a partition's work means. */
export function haltFor(error: unknown): Halt {
  if (error instanceof HaltError) return error.halt
  if (error instanceof RecordsError) {
    return { reason: UNSUPPORTED.has(error.code) ? 'unsupported-batch' : 'corrupt-batch', detail: error.message }
  }
  if (error instanceof ClusterError) {
    const reason = AUTHORIZATION_ERRORS.has(error.code) ? 'not-authorized' : 'destination-refused'
    return { reason, detail: error.message }
  }
  return { reason: 'unexpected', detail: error instanceof Error ? error.message : String(error) }
}

/** What the source's refusal of a partition means. */
export function haltForSource(topic: string, error: string): Halt {
  if (error === 'TOPIC_AUTHORIZATION_FAILED') {
    return {
      reason: 'not-authorized',
      detail: `the source does not let farlog read ${topic}: it needs READ on the topic`
    }
  }
  return { reason: 'source-refused', detail: `the source refuses to be read at ${topic}: ${error}` }
}

/** What the destination's refusal of a batch means. */
export function haltForWrite(destinationTopic: string, failure: WriteFailure, batchBytesMax: number): Halt {
  const { outcome, error, message, firstSourceOffset, bytes } = failure
  if (outcome === 'fenced') {
    return { reason: 'fenced', detail: `another worker owns this partition now: the destination refused with ${error}` }
  }
  if (outcome === 'too-large') {
    return {
      reason: 'record-too-large',
      detail:
        `the record at source offset ${firstSourceOffset} takes ${bytes} bytes with its batch, ` +
        `but ${destinationTopic} takes ${batchBytesMax}: raise max.message.bytes of ${destinationTopic}`
    }
  }
  if (AUTHORIZATION_ERRORS.has(error)) {
    return {
      reason: 'not-authorized',
      detail: `the destination does not let farlog write to ${destinationTopic} (${error}): it needs WRITE on the topic`
    }
  }
  const cause = message === null ? error : `${error}: ${message}`
  return {
    reason: 'destination-refused',
    detail: `${destinationTopic} refuses the batch that begins at source offset ${firstSourceOffset}: ${cause}`
  }
}

/** The flow is not to be mirrored. */
export function stopped({ orderedBy, orderedAt, stopAt, reason }: FlowOrder): Halt {
  const at = new Date(orderedAt).toISOString()
  const until = stopAt === null ? '' : ` from what came at ${new Date(stopAt).toISOString()} on`
  return { reason: 'stopped', detail: `stopped${until} by ${orderedBy} at ${at}: ${reason}` }
}

/** None of these heals by itself. */
const RESUME_HINT = '`farlog resume` says where to go on'

/** The topic is not the one that was mirrored. */
export function recreated(topic: string, mirroredTo: number, logStart: number): Halt {
  return {
    reason: 'recreated',
    detail: `the source topic ${topic} was deleted and made again: its offsets mean other records now; ${RESUME_HINT}`,
    trouble: { kind: 'RECREATED', firstOffset: mirroredTo, nextOffset: logStart }
  }
}

/** Records vanished before they were mirrored. */
export function gap(topicPartition: string, firstOffset: number, logStart: number): Halt {
  return {
    reason: 'gap',
    detail:
      `source offsets ${firstOffset} to ${logStart - 1} of ${topicPartition} were deleted before they were mirrored; ` +
      RESUME_HINT,
    trouble: { kind: 'GAP', firstOffset, nextOffset: logStart }
  }
}

/** The source ends before what was mirrored. */
export function diverged(topicPartition: string, endOffset: number, nextSourceOffset: number): Halt {
  return {
    reason: 'diverged',
    detail:
      `the source's log of ${topicPartition} was cut back to offset ${endOffset}, ` +
      `but records up to ${nextSourceOffset - 1} had been mirrored: the destination holds what the source has lost; ` +
      RESUME_HINT,
    trouble: { kind: 'DIVERGED', firstOffset: endOffset, nextOffset: nextSourceOffset }
  }
}
