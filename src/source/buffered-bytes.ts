/** Of what new traffic and backlog share, this much is left to new traffic. */
const LIVE_RESERVE = 0.2

/**
 * What a flow's partitions hold in a thread, fetched and not acknowledged, and whether there is room for more.
 *
 * When the destination is what everything waits for, whoever has more room is copied faster. So where there are partitions of
 * both kinds, the backlog leaves some room free for new traffic, and new traffic leaves the backlog its share.
 */
export class BufferedBytes {
  readonly #bytesMax: number
  readonly #backlogShare: number
  #liveBytes = 0
  #backlogBytes = 0
  #rewrittenBytes = 0

  /** @param backlogShare above 0 and up to 1; at 1 there is no order */
  constructor(bytesMax: number, backlogShare: number) {
    this.#bytesMax = bytesMax
    this.#backlogShare = backlogShare
  }

  get total(): number {
    return this.#liveBytes + this.#backlogBytes
  }

  /** So much came in, or went out. */
  add(bytes: number, isBacklog: boolean): void {
    if (isBacklog) this.#backlogBytes += bytes
    else this.#liveBytes += bytes
  }

  /** So much of it was rewritten, and is compressed no more, or went out. */
  addRewritten(bytes: number): void {
    this.#rewrittenBytes += bytes
  }

  /**
   * Whether more of what is here already may be rewritten. What waits for that does not count: several loops that wait would wait for
   * one another.
   */
  get hasRoomToRewrite(): boolean {
    return this.#rewrittenBytes < this.#bytesMax
  }

  /** @param areBoth whether there are partitions of both kinds: only then they compete */
  hasRoom(isBacklog: boolean, areBoth: boolean): boolean {
    const share = this.#backlogShare
    if (!areBoth || share >= 1) return this.total < this.#bytesMax
    if (isBacklog) {
      return this.#backlogBytes < share * this.#bytesMax || this.total < (1 - LIVE_RESERVE) * this.#bytesMax
    }
    return this.#liveBytes < (1 - share) * this.#bytesMax && this.total < this.#bytesMax
  }
}
