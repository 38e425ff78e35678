/**
 * Zig-zag varints of record fields (Kafka's ByteUtils, after Protocol Buffers): small magnitudes take one byte whatever
 * their sign. Reading returns the value and leaves the position behind it in `varintEnd`, a module variable, because
 * a returned pair would be an object per field and there are six fields per record.
 */
export let varintEnd = 0

/** Reads a varint of up to 32 bits. Past the buffer's end it yields garbage, which the caller's bounds check refuses. */
export function readVarint(bytes: Uint8Array, at: number): number {
  let byte = bytes[at++]!
  let raw = byte & 0x7f
  let shift = 7
  while (byte >= 0x80 && shift < 35) {
    byte = bytes[at++]!
    raw |= (byte & 0x7f) << shift
    shift += 7
  }
  varintEnd = at
  return (raw >>> 1) ^ -(raw & 1)
}

/** Reads a varint of up to 64 bits as a number, exact below 2^53. */
export function readVarlong(bytes: Uint8Array, at: number): number {
  // Up to four bytes (28 bits) fit the fast path: a delta of more than 37 hours between timestamps does not.
  const first = bytes[at]!
  if (first < 0x80) {
    varintEnd = at + 1
    return (first >>> 1) ^ -(first & 1)
  }
  let low = first & 0x7f
  let shift = 7
  at++
  while (shift < 28) {
    const byte = bytes[at++]!
    low |= (byte & 0x7f) << shift
    shift += 7
    if (byte < 0x80) {
      varintEnd = at
      return (low >>> 1) ^ -(low & 1)
    }
  }
  let raw = BigInt(low)
  let bigShift = 28n
  while (bigShift < 70n) {
    const byte = bytes[at++]!
    raw |= BigInt(byte & 0x7f) << bigShift
    bigShift += 7n
    if (byte < 0x80) break
  }
  varintEnd = at
  return Number(BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n)))
}

/** Writes a varint of up to 32 bits and returns the position behind it. */
export function writeVarint(bytes: Uint8Array, value: number, at: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0
  while (raw >= 0x80) {
    bytes[at++] = (raw & 0x7f) | 0x80
    raw >>>= 7
  }
  bytes[at++] = raw
  return at
}

/** Writes a varint of up to 64 bits and returns the position behind it. */
export function writeVarlong(bytes: Uint8Array, value: number, at: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return writeVarint(bytes, value, at)
  const big = BigInt(value)
  let raw = BigInt.asUintN(64, (big << 1n) ^ (big >> 63n))
  while (raw >= 0x80n) {
    bytes[at++] = Number(raw & 0x7fn) | 0x80
    raw >>= 7n
  }
  bytes[at++] = Number(raw)
  return at
}

/** Bytes that `writeVarint` takes for this value. */
export function sizeOfVarint(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0
  if (raw < 0x80) return 1
  if (raw < 0x4000) return 2
  if (raw < 0x200000) return 3
  if (raw < 0x10000000) return 4
  return 5
}

/** Bytes that `writeVarlong` takes for this value. */
export function sizeOfVarlong(value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return sizeOfVarint(value)
  const big = BigInt(value)
  let raw = BigInt.asUintN(64, (big << 1n) ^ (big >> 63n))
  let size = 1
  while (raw >= 0x80n) {
    raw >>= 7n
    size++
  }
  return size
}
