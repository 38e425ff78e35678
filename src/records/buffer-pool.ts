/**
 * Buffers for batches on their way, reused: a fresh megabyte per batch would keep the garbage collector (and the
 * kernel, which zeroes pages) busier than the copying itself.
 *
 * Sizes come in classes, four to a doubling: most requests are a little larger than a power of two (so many record
 * bytes, and a header), and powers of two alone would take up nearly twice what is used. What a class lacks, the next
 * larger ones give, and where too much is kept, what nobody has wanted for longest goes: else buffers of sizes that
 * were common once would fill the pool, and those of today would be made anew each time.
 */
export class BufferPool {
  readonly #retainedBytesMax: number
  /** Free buffers by size, in each class those given back last at the end. */
  readonly #free = new Map<number, FreeBuffer[]>()
  #retainedBytes = 0
  #releases = 0

  /** @param retainedBytesMax the most bytes kept for reuse; what is beyond it goes to the collector */
  constructor(retainedBytesMax: number) {
    this.#retainedBytesMax = retainedBytesMax
  }

  /** A buffer of at least `bytes`, and at most some two times of it; what it holds is undefined. */
  acquire(bytes: number): Buffer {
    let size = sizeClass(bytes)
    const smallest = size
    for (let larger = 0; larger <= CLASSES_TO_A_DOUBLING; larger++) {
      const reused = this.#free.get(size)?.pop()
      if (reused !== undefined) {
        this.#retainedBytes -= size
        return reused.buffer
      }
      size = sizeClass(size + 1)
    }
    return Buffer.allocUnsafeSlow(smallest)
  }

  /** Gives a buffer back. The caller must hold no view into it any more. */
  release(buffer: Buffer): void {
    const size = buffer.length
    if (size > this.#retainedBytesMax) return
    this.#retainedBytes += size
    while (this.#retainedBytes > this.#retainedBytesMax) this.#dropOldest()
    const free = this.#free.get(size)
    const entry = { buffer, release: this.#releases++ }
    if (free === undefined) this.#free.set(size, [entry])
    else free.push(entry)
  }

  #dropOldest(): void {
    let oldest: FreeBuffer[] | undefined
    for (const free of this.#free.values()) {
      if (free.length > 0 && (oldest === undefined || free[0]!.release < oldest[0]!.release)) oldest = free
    }
    this.#retainedBytes -= oldest!.shift()!.buffer.length
  }
}

interface FreeBuffer {
  readonly buffer: Buffer
  /** Counts up: what was given back earlier has a smaller number. */
  readonly release: number
}

const SMALLEST_CLASS_BYTES = 1024
const CLASSES_TO_A_DOUBLING = 4

function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST_CLASS_BYTES) return SMALLEST_CLASS_BYTES
  const step = 2 ** Math.floor(Math.log2(bytes - 1)) / CLASSES_TO_A_DOUBLING
  return Math.ceil(bytes / step) * step
}
