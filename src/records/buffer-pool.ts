/**
 * Buffers for batches on their way out, reused: a fresh megabyte per batch would keep the garbage collector (and the
 * kernel, which zeroes pages) busier than the copying itself. Sizes are powers of two, so a buffer given back fits the
 * next request of its class.
 */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>()
  readonly #retainedBytesMax: number
  #retainedBytes = 0

  /** @param retainedBytesMax the most bytes kept for reuse; what is given back beyond it goes to the collector */
  constructor(retainedBytesMax: number) {
    this.#retainedBytesMax = retainedBytesMax
  }

  /** A buffer of at least `bytes`; what it holds is undefined. */
  acquire(bytes: number): Buffer {
    const size = sizeClass(bytes)
    const reused = this.#free.get(size)?.pop()
    if (reused === undefined) return Buffer.allocUnsafeSlow(size)
    this.#retainedBytes -= size
    return reused
  }

  /** Gives a buffer back. The caller must hold no view into it any more. */
  release(buffer: Buffer): void {
    if (this.#retainedBytes + buffer.length > this.#retainedBytesMax) return
    const free = this.#free.get(buffer.length)
    if (free === undefined) this.#free.set(buffer.length, [buffer])
    else free.push(buffer)
    this.#retainedBytes += buffer.length
  }
}

const SMALLEST_CLASS_BYTES = 1024

function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST_CLASS_BYTES) return SMALLEST_CLASS_BYTES
  return 2 ** Math.ceil(Math.log2(bytes))
}
