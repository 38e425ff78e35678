/**
 * gzip and zstd by Node's zlib, with one stream for each kind that is used again and again, and the result in one
 * buffer that is used again too.
 *
 * zlib's own functions for whole buffers set a stream up for each call (a megabyte of tables for zstd) and gather the
 * result in fresh chunks outside of the heap: for batches of a record, and for the garbage collector, that is most of
 * the work. What is used here (`_handle`, `_writeState`) is what these functions use themselves. Where this Node has it
 * not as expected, they do the work.
 */
import {
  constants,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync
} from 'node:zlib'

export type ZlibCodec = 'gzip' | 'gunzip' | 'zstdCompress' | 'zstdDecompress'

/** The inside of a zlib stream: Node's lib/zlib.js (`processChunkSync`) and src/node_zlib.cc. */
interface Inside {
  readonly _handle?: {
    onerror: (message: string, errno: number, code: string) => void
    reset?(): void
    writeSync?(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputBytes: number,
      output: Uint8Array,
      outputAt: number,
      outputBytes: number
    ): void
  }
  /** After a write: what room is left, and what of the input was not taken. */
  readonly _writeState?: Uint32Array
}

/**
 * Kafka's own producer has level 3 unless told otherwise. Level 1 takes two thirds of its time, and a mirror compresses
 * in large batches, where it comes to nearly the same size (`bench/NOTES.md`).
 */
const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const OUTPUT_BYTES_FIRST = 256 * 1024
/** A result larger than this has a buffer of its own, which is not kept. */
const KEPT_OUTPUT_BYTES_MAX = 16 * 1024 * 1024

const KINDS = {
  gzip: {
    create: createGzip,
    finish: constants.Z_FINISH,
    mustReset: true,
    whole: (input: Uint8Array) => gzipSync(input)
  },
  gunzip: {
    create: createGunzip,
    finish: constants.Z_FINISH,
    mustReset: true,
    whole: (input: Uint8Array, maxOutputLength: number) => gunzipSync(input, { maxOutputLength })
  },
  zstdCompress: {
    create: () => createZstdCompress(ZSTD_OPTIONS),
    finish: constants.ZSTD_e_end,
    // A frame's end is the next one's beginning; and a reset would forget the level (Node's ZstdCompressContext).
    mustReset: false,
    whole: (input: Uint8Array) => zstdCompressSync(input, ZSTD_OPTIONS)
  },
  zstdDecompress: {
    create: createZstdDecompress,
    finish: constants.ZSTD_e_end,
    // A frame's end is the next one's beginning; and a reset would forget the level (Node's ZstdCompressContext).
    mustReset: false,
    whole: (input: Uint8Array, maxOutputLength: number) => zstdDecompressSync(input, { maxOutputLength })
  }
} as const

const streams = new Map<ZlibCodec, ReusedStream>()

/** Gives up what a huge result took; the view of it is gone with that. */
export function dropLargeZlibResults(): void {
  for (const stream of streams.values()) stream.dropLargeOutput()
}

/**
 * Runs a codec on bytes.
 * @returns a view of the result, which is gone with the next call for the same codec
 * @throws what zlib says where the bytes are not what the codec makes, or a RangeError where the result is larger
 */
export function runZlibCodec(codec: ZlibCodec, input: Uint8Array, outputBytesMax: number): Buffer {
  const { create, finish, mustReset, whole } = KINDS[codec]
  let stream = streams.get(codec)
  if (stream === undefined) {
    stream = new ReusedStream(create() as unknown as Inside, finish, mustReset)
    streams.set(codec, stream)
  }
  if (!stream.isUsable) return whole(input, outputBytesMax)
  try {
    return stream.run(input, outputBytesMax)
  } catch (error) {
    streams.delete(codec)
    throw error
  }
}

class ReusedStream {
  readonly #inside: Inside
  readonly #finish: number
  readonly #mustReset: boolean
  #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES_FIRST)
  #failure: Error | undefined

  constructor(inside: Inside, finish: number, mustReset: boolean) {
    this.#inside = inside
    this.#finish = finish
    this.#mustReset = mustReset
    if (!this.isUsable) return
    inside._handle!.onerror = (message, errno, code) => {
      this.#failure = Object.assign(new Error(message), { errno, code })
    }
  }

  get isUsable(): boolean {
    const { _handle: handle, _writeState: state } = this.#inside
    return typeof handle?.writeSync === 'function' && typeof handle.reset === 'function' && state instanceof Uint32Array
  }

  dropLargeOutput(): void {
    if (this.#output.length > KEPT_OUTPUT_BYTES_MAX) this.#output = Buffer.allocUnsafeSlow(OUTPUT_BYTES_FIRST)
  }

  run(input: Uint8Array, outputBytesMax: number): Buffer {
    const handle = this.#inside._handle!
    const [ROOM_LEFT, INPUT_LEFT] = [0, 1]
    const state = this.#inside._writeState!
    if (this.#mustReset) handle.reset!()
    let taken = 0
    let written = 0
    for (;;) {
      const before = taken + written
      const room = this.#output.length - written
      handle.writeSync!(this.#finish, input, taken, input.length - taken, this.#output, written, room)
      if (this.#failure !== undefined) throw this.#failure
      written = this.#output.length - state[ROOM_LEFT]!
      taken = input.length - state[INPUT_LEFT]!
      if (written > outputBytesMax) throw new RangeError(`the result is larger than ${outputBytesMax} bytes`)
      if (state[ROOM_LEFT]! > 0) {
        // What is left of the input is another frame, or nothing the codec knows, which zlib passes over.
        if (taken === input.length || taken + written === before) return this.#output.subarray(0, written)
        continue
      }
      const larger = Buffer.allocUnsafeSlow(this.#output.length * 2)
      this.#output.copy(larger, 0, 0, written)
      this.#output = larger
    }
  }
}
