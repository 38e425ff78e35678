/** A source topic and its counterpart at the destination. */
export interface KeptTopic {
  readonly topic: string
  /** Of the source topic. */
  readonly partitions: number
  readonly destinationTopic: string
}
