import type { RecordHeader } from '../cluster/record-reader.ts'

/**
 * The header that says where a copy came from, as the public interface has it:
 *
 *     farlog.origin = <source alias>/<topic>/<partition>/<offset>
 *
 * one for each hop, the last hop last. Read here anew on purpose: what writes it must not also judge it.
 */
const NAME = Buffer.from('farlog.origin', 'ascii')
const SLASH = 0x2f
const ZERO = 0x30
const NINE = 0x39
/** Enough for every offset that a number holds exactly. */
const DIGITS_MAX = 16

/** The last hop names another cluster or topic, or there is none: another writer's record. */
export const FOREIGN = -1
/** The last hop names the topic, but another partition or no offset: a copy where none belongs. */
export const MISPLACED = -2

/** Reads the last hop of the records that should be copies of one source partition. */
export class OriginReader {
  readonly #topicPrefix: Buffer
  readonly #prefix: Buffer
  #headerIndex = -1

  constructor(sourceAlias: string, topic: string, partition: number) {
    this.#topicPrefix = Buffer.from(`${sourceAlias}/${topic}/`, 'utf8')
    this.#prefix = Buffer.from(`${sourceAlias}/${topic}/${partition}/`, 'utf8')
  }

  /** Where the header stood that the last `read` took its answer from. */
  get headerIndex(): number {
    return this.#headerIndex
  }

  /** The source offset that the copy names, or `FOREIGN` or `MISPLACED`. */
  read(headers: readonly RecordHeader[]): number {
    let at = headers.length - 1
    while (at >= 0 && !isOrigin(headers[at]!)) at--
    this.#headerIndex = at
    const value = at < 0 ? null : headers[at]![1]
    if (value === null) return FOREIGN
    if (startsWith(value, this.#prefix)) return parseOffset(value, this.#prefix.length)
    return startsWith(value, this.#topicPrefix) ? MISPLACED : FOREIGN
  }
}

/** Tells which records have been at a cluster before, by any of their hops. */
export class HopFinder {
  readonly #alias: Buffer

  constructor(alias: string) {
    this.#alias = Buffer.from(alias, 'utf8')
  }

  hasHop(headers: readonly RecordHeader[]): boolean {
    for (const header of headers) {
      const value = header[1]
      if (value !== null && value[this.#alias.length] === SLASH && isOrigin(header) && startsWith(value, this.#alias)) {
        return true
      }
    }
    return false
  }
}

function isOrigin(header: RecordHeader): boolean {
  const name = header[0]
  return name.length === NAME.length && startsWith(name, NAME)
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  if (bytes.length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false
  return true
}

function parseOffset(value: Buffer, start: number): number {
  const digits = value.length - start
  if (digits === 0 || digits > DIGITS_MAX) return MISPLACED
  let offset = 0
  for (let i = start; i < value.length; i++) {
    const byte = value[i]!
    if (byte < ZERO || byte > NINE) return MISPLACED
    offset = offset * 10 + (byte - ZERO)
  }
  return offset
}
