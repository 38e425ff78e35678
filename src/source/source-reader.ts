/**
 * Reads many source partitions: a fetch loop, or some, for each broker that leads any of them.
 *
 * A broker answers one request of a connection at a time, and where a next one begins is known only when the last one
 * is here. So across a long way it is the bytes of a round trip that bound the rate. The longer the round trips of a
 * loop, the more it asks for; and where they are long, its partitions are spread over several loops with a connection
 * each. (Nearby one does as well, and cheaper: fewer and larger answers.)
 *
 * An answer that is full of old records has no room for the new ones of other partitions. So those that have caught up with
 * their end are read by loops of their own, in answers of their own: new traffic waits for no backlog.
 */
import { Backoff, pause } from '../cluster/retry.ts'
import { FetchLoop, type FetchTarget, type SourceReaderOptions } from './fetch-loop.ts'

/** Fetch loops, each with its connection and session, that share the partitions of one broker that is far away. */
const LOOPS_OF_FAR_BROKER = 8

export class SourceReader {
  readonly #options: SourceReaderOptions
  /** By what they read, then by broker. */
  readonly #loops = { live: new Map<number, FetchLoop[]>(), backlog: new Map<number, FetchLoop[]>() }
  readonly #allLoops: FetchLoop[] = []
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
    this.#give(target, leader.leaderEpoch, this.#loopsOf(leader.nodeId, target.isBacklog))
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
    for (const loop of this.#allLoops) loop.wake()
  }

  /** Some of what is read has to wait until there is room. */
  get isFull(): boolean {
    const areBoth = this.#areBoth
    return !this.#options.hasRoom(true, areBoth) || !this.#options.hasRoom(false, areBoth)
  }

  /** When the loop that reads this partition last had an answer from its broker; `undefined` while it is not read. */
  answeredAtMs(target: FetchTarget): number | undefined {
    const loop = this.#readBy.get(target)
    return loop?.isAsking(target) ? loop.answeredAtMs : undefined
  }

  /** Whether some partitions copy new traffic and others backlog, where that makes a difference. */
  get #areBoth(): boolean {
    const isRead = (isBacklog: boolean) => this.#allLoops.some(loop => loop.isBacklog === isBacklog && loop.size > 0)
    return this.#options.isOrdered === true && isRead(true) && isRead(false)
  }

  #loopsOf(nodeId: number, isBacklog: boolean): FetchLoop[] {
    // Without an order all are read as if they were backlog, which is how they begin.
    const isLive = !isBacklog && this.#options.isOrdered === true
    const byBroker = isLive ? this.#loops.live : this.#loops.backlog
    let loops = byBroker.get(nodeId)
    if (loops === undefined) {
      loops = [this.#newLoop(nodeId, 0, !isLive)]
      byBroker.set(nodeId, loops)
    }
    return loops
  }

  #newLoop(nodeId: number, index: number, isBacklog: boolean): FetchLoop {
    const loop = new FetchLoop(nodeId, `fetch-${isBacklog ? '' : 'live-'}${index}`, isBacklog, this.#options, {
      leaderless: target => {
        this.#readBy.delete(target)
        void this.#findLeader(target)
      },
      turned: (target, leaderEpoch) => this.#turn(nodeId, target, leaderEpoch),
      areBoth: () => this.#areBoth,
      isFar: () => this.#spread(nodeId, isBacklog)
    })
    this.#allLoops.push(loop)
    return loop
  }

  #turn(nodeId: number, target: FetchTarget, leaderEpoch: number): void {
    target.isBacklog = !target.isBacklog
    if (this.#options.isOrdered !== true) return
    this.#readBy.get(target)?.remove(target)
    this.#give(target, leaderEpoch, this.#loopsOf(nodeId, target.isBacklog))
  }

  /** To the loop with the fewest. */
  #give(target: FetchTarget, leaderEpoch: number, loops: readonly FetchLoop[]): void {
    const loop = loops.reduce((least, other) => (other.size < least.size ? other : least))
    this.#readBy.set(target, loop)
    loop.add(target, leaderEpoch)
  }

  /** The one loop of a broker has found it to be far: from now on several share its partitions. */
  #spread(nodeId: number, isBacklog: boolean): void {
    const loops = this.#loopsOf(nodeId, isBacklog)
    if (loops.length > 1) return
    const [first] = loops
    while (loops.length < LOOPS_OF_FAR_BROKER) loops.push(this.#newLoop(nodeId, loops.length, isBacklog))
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
