/**
 * What a broker's answer to a batch means for the partition that sent it; the one place where that is decided.
 *
 * - `acknowledged`: it is in the log, whether from this try or an earlier one;
 * - `retry`: the same bytes again, after a pause, in the same order;
 * - `resume`: what the leader knows of us contradicts what we know; the log decides: fence, find the end, go on;
 * - `fenced`: a newer owner writes this partition;
 * - `too-large`: the destination takes no batch of this size;
 * - `refused`: trying again changes nothing until somebody changes something.
 */
export type ProduceOutcome = 'acknowledged' | 'retry' | 'resume' | 'fenced' | 'too-large' | 'refused'

const OUTCOMES: Record<string, ProduceOutcome> = {
  NONE: 'acknowledged',
  // The leader remembers a producer's last five batches: this one came before, only its answer was lost (KIP-98).
  DUPLICATE_SEQUENCE_NUMBER: 'acknowledged',

  UNREACHABLE: 'retry',
  TIMED_OUT: 'retry',
  AUTHENTICATION: 'retry',
  BAD_RESPONSE: 'retry',
  CORRUPT_MESSAGE: 'retry',
  UNKNOWN_TOPIC_OR_PARTITION: 'retry',
  LEADER_NOT_AVAILABLE: 'retry',
  NOT_LEADER_OR_FOLLOWER: 'retry',
  BROKER_NOT_AVAILABLE: 'retry',
  REPLICA_NOT_AVAILABLE: 'retry',
  REQUEST_TIMED_OUT: 'retry',
  NETWORK_EXCEPTION: 'retry',
  NOT_ENOUGH_REPLICAS: 'retry',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'retry',
  KAFKA_STORAGE_ERROR: 'retry',
  THROTTLING_QUOTA_EXCEEDED: 'retry',

  OUT_OF_ORDER_SEQUENCE_NUMBER: 'resume',
  UNKNOWN_PRODUCER_ID: 'resume',
  INVALID_PRODUCER_ID_MAPPING: 'resume',

  INVALID_PRODUCER_EPOCH: 'fenced',
  PRODUCER_FENCED: 'fenced',

  MESSAGE_TOO_LARGE: 'too-large',
  RECORD_LIST_TOO_LARGE: 'too-large'
}

/**
 * @param error Kafka's name of the error, or one of ClusterError's own codes
 * @param isBehindRetry whether an earlier batch of the same partition is to be sent again: the leader then refuses all
 *   that follow as out of order, and they are simply sent again behind it
 */
export function produceOutcome(error: string, isBehindRetry: boolean): ProduceOutcome {
  if (isBehindRetry && error === 'OUT_OF_ORDER_SEQUENCE_NUMBER') return 'retry'
  return OUTCOMES[error] ?? 'refused'
}
