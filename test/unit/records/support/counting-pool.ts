import { BufferPool } from '../../../../src/records/buffer-pool.ts'

/** Knows how many buffers are out, and keeps none. */
export class CountingPool extends BufferPool {
  held = 0

  constructor() {
    super(0)
  }

  override acquire(bytes: number): Buffer {
    this.held++
    return super.acquire(bytes)
  }

  override release(buffer: Buffer): void {
    this.held--
    super.release(buffer)
  }
}
