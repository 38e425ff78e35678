/** A record as `java/Reader.java` read it; digests where only equality matters. */
export interface SeenRecord {
  readonly offset: number
  /** Milliseconds and who set them. */
  readonly timestamp: string
  readonly key: string
  readonly value: string
  /** All but farlog's own, in their order. */
  readonly headers: string
  /** `writer/number`; empty where the record came from no writer of this run. */
  readonly id: string
  /** The values of all `farlog.origin` headers, in their order. */
  readonly origins: readonly string[]
}

/** Reads one of the reader's lines. */
export function parseSeenRecord(line: string): SeenRecord {
  const [offset, timestamp, key, value, headers, id, ...origins] = line.split('\t')
  if (id === undefined) throw new Error(`No record: ${line}`)
  return { offset: Number(offset), timestamp: timestamp!, key: key!, value: value!, headers: headers!, id, origins }
}
