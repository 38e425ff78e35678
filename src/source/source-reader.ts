/**
 * Reads many source partitions: a fetch loop, or some, for each broker that leads any of them.
 *
 * A broker answers one request of a connection at a time, and where a next one begins is known only when the last one
 * is here. So across a long way it is the bytes of a round trip that bound the rate. The longer the round trips of a
 * loop, the more it asks for; and where they are long, its partitions are spread over several loops with a connection
 * each. (Nearby one does as well, and cheaper: fewer and larger answers.)
 */
import { Backoff, pause } from '../cluster/retry.ts'
import { FetchLoop, type FetchTarget, type SourceReaderOptions } from './fetch-loop.ts'

/** Fetch loops, each with its connection and session, that share the partitions of one broker that is far away. */
const LOOPS_OF_FAR_BROKER = 8

export class SourceReader {
  readonly #options: SourceReaderOptions
  readonly #loops = new Map<number, FetchLoop[]>()
  /** Which loop reads a target. */
  readonly #readBy = new Map<FetchTarget, FetchLoop>()
  /** Targets between two leaders, and the pauses they take. */
  readonly #searching = new Map<FetchTarget, Backoff>()

  constructor(options: SourceReaderOptions) {
    this.#options = options
  }

  /** Begins to read a partition. */
  add(target: FetchTarget): void {
    const leader = this.#options.cluster.leaderOf(target.topic, target.partition)
    if (leader === undefined) {
      void this.#findLeader(target)
      return
    }
    this.#give(target, leader.leaderEpoch, this.#loopsOf(leader.nodeId))
  }

  /** Stops reading a partition, whose owner has closed it. */
  remove(target: FetchTarget): void {
    this.#searching.delete(target)
    this.#readBy.get(target)?.remove(target)
    this.#readBy.delete(target)
  }

  /** Room was made at this target, and with it in the flow as a whole: whoever waits for either goes on. */
  roomMade(target: FetchTarget): void {
    this.#readBy.get(target)?.touch(target)
    for (const loops of this.#loops.values()) for (const loop of loops) loop.wake()
  }

  /** When the loop that reads this partition last had an answer from its broker; `undefined` while it is not read. */
  answeredAtMs(target: FetchTarget): number | undefined {
    const loop = this.#readBy.get(target)
    return loop?.isAsking(target) ? loop.answeredAtMs : undefined
  }

  #loopsOf(nodeId: number): FetchLoop[] {
    let loops = this.#loops.get(nodeId)
    if (loops === undefined) {
      loops = [this.#newLoop(nodeId, 0)]
      this.#loops.set(nodeId, loops)
    }
    return loops
  }

  #newLoop(nodeId: number, index: number): FetchLoop {
    return new FetchLoop(nodeId, index, this.#options, {
      leaderless: target => {
        this.#readBy.delete(target)
        void this.#findLeader(target)
      },
      isFar: () => this.#spread(nodeId)
    })
  }

  /** To the loop with the fewest. */
  #give(target: FetchTarget, leaderEpoch: number, loops: readonly FetchLoop[]): void {
    const loop = loops.reduce((least, other) => (other.size < least.size ? other : least))
    this.#readBy.set(target, loop)
    loop.add(target, leaderEpoch)
  }

  /** The one loop of a broker has found it to be far: from now on several share its partitions. */
  #spread(nodeId: number): void {
    const loops = this.#loopsOf(nodeId)
    if (loops.length > 1) return
    const [first] = loops
    while (loops.length < LOOPS_OF_FAR_BROKER) loops.push(this.#newLoop(nodeId, loops.length))
    const share = Math.ceil(first!.size / loops.length)
    for (const { target, leaderEpoch } of first!.handOver(first!.size - share)) this.#give(target, leaderEpoch, loops)
  }

  async #findLeader(target: FetchTarget): Promise<void> {
    if (this.#searching.has(target)) return
    const backoff = new Backoff(50, 5_000)
    this.#searching.set(target, backoff)
    do {
      await pause(backoff.nextMs(), this.#options.signal)
      await this.#options.cluster.refreshTogether(target.topic)
      if (this.#options.signal.aborted || !target.isOpen) return
      const topic = this.#options.cluster.topic(target.topic)
      if (topic !== undefined && topic.topicId !== target.topicId) {
        this.#searching.delete(target)
        target.refused('INCONSISTENT_TOPIC_ID')
        return
      }
    } while (this.#options.cluster.leaderOf(target.topic, target.partition) === undefined)
    this.#searching.delete(target)
    this.add(target)
  }
}
