/** The protocol's primitive types as bytes, written from its description; shares no code with `src/cluster`. */

/** An empty tag buffer. */
export const NO_TAGS = Buffer.from([0])

export function compactArray<T>(items: readonly T[], parts: (item: T) => Buffer[]): Buffer {
  return Buffer.concat([unsignedVarint(items.length + 1), ...items.flatMap(parts)])
}

export function unsignedVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

export function compactString(value: string | null): Buffer {
  if (value === null) return unsignedVarint(0)
  const bytes = Buffer.from(value)
  return Buffer.concat([unsignedVarint(bytes.length + 1), bytes])
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}
