/**
 * The group's coordinator: who owns the partition, and the progress committed for it. A member that is not heard of is
 * replaced; what it commits afterwards is refused, for the group has a newer generation.
 */
import type { CommittedOffset } from '../../src/cluster/group-member.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Process, Scheduler } from './scheduler.ts'

/** A worker as the group knows it; the callbacks run in its process. */
export interface Member {
  readonly process: Process
  assigned(generation: number): void
  /** Lets go, then calls back; when it is `lost` somebody else may own it already. */
  revoked(isLost: boolean, released: () => void): void
}

export interface GroupOptions {
  readonly scheduler: Scheduler
  readonly random: SeededRandom
  delayMs(): number
  /** Whether a commit on its way fails, before or after it is stored. */
  commitFails(): 'before' | 'after' | undefined
  committed(commit: CommittedOffset): void
  note(what: () => string): void
}

const SESSION_TIMEOUT_MS = 1_500
const REBALANCE_TIMEOUT_MS = 8_000
/** A member hears of its removal with its next heartbeat. */
const HEARTBEAT_MS = 800
const JOIN_DELAY_MS_MAX = 300

export class Group {
  readonly #options: GroupOptions
  #members: Member[] = []
  #owner: Member | undefined
  #generation = 0
  #isRevoking = false
  /** A member hears everything in order. */
  readonly #lastToldMs = new Map<Process, number>()
  /** What was committed last. */
  progress: CommittedOffset | undefined

  constructor(options: GroupOptions) {
    this.#options = options
  }

  get owner(): Member | undefined {
    return this.#owner
  }

  join(member: Member): void {
    const { scheduler, random } = this.#options
    scheduler.schedule(undefined, random.between(0, JOIN_DELAY_MS_MAX), () => {
      if (member.process.state === 'dead') return
      this.#members.push(member)
      if (this.#owner === undefined) this.#assign()
    })
  }

  /** Gives the partition to another member, once its owner has let go of it. */
  rebalance(): void {
    const owner = this.#owner
    if (owner === undefined || this.#isRevoking || this.#members.length < 2) return
    this.#isRevoking = true
    this.#options.note(() => `revokes from ${owner.process.name}`)
    const { scheduler } = this.#options
    const handOver = () => {
      if (this.#owner !== owner || !this.#isRevoking) return
      this.#leave(owner)
      this.#members.push(owner)
      this.#assign()
    }
    this.#tell(owner, () =>
      owner.revoked(false, () => scheduler.schedule(undefined, this.#options.delayMs(), handOver))
    )
    scheduler.schedule(undefined, REBALANCE_TIMEOUT_MS, () => {
      if (this.#owner === owner && this.#isRevoking) this.#remove(owner)
    })
  }

  /** Looks for members that have stopped; to be called whenever one does. */
  watch(process: Process): void {
    this.#options.scheduler.schedule(undefined, SESSION_TIMEOUT_MS, () => {
      const member = this.#members.find(each => each.process === process)
      if (member !== undefined && process.state !== 'running') this.#remove(member)
    })
  }

  /** Resolves to what is committed, as the member hears it. */
  read(process: Process): Promise<CommittedOffset | undefined> {
    const { scheduler, delayMs } = this.#options
    return new Promise(resolve => {
      scheduler.schedule(undefined, delayMs(), () => {
        const found = this.progress
        scheduler.schedule(process, delayMs(), () => resolve(found))
      })
    })
  }

  /** Stores progress, if the member owns the partition still. Rejects where it did not, or that is not known. */
  commit(process: Process, generation: number, commit: CommittedOffset): Promise<void> {
    const { scheduler, delayMs, commitFails } = this.#options
    return new Promise((resolve, reject) => {
      const failure = commitFails()
      scheduler.schedule(undefined, delayMs(), () => {
        const isOwner = this.#owner?.process === process && this.#generation === generation
        if (isOwner && failure !== 'before') {
          this.#options.note(() => `has progress ${commit.offset} from ${process.name}`)
          this.#options.committed(commit)
          this.progress = commit
        }
        scheduler.schedule(process, delayMs(), () => {
          if (isOwner && failure === undefined) resolve()
          else reject(new Error(isOwner ? 'the commit failed' : 'the group has a newer generation'))
        })
      })
    })
  }

  #assign(): void {
    const member = this.#members.find(({ process }) => process.state !== 'dead')
    if (member === undefined) return
    this.#owner = member
    const generation = ++this.#generation
    this.#options.note(() => `gives the partition to ${member.process.name}, generation ${generation}`)
    this.#tell(member, () => member.assigned(generation))
  }

  #remove(member: Member): void {
    const wasOwner = this.#owner === member
    this.#options.note(() => `removes ${member.process.name}`)
    this.#leave(member)
    const { scheduler, random } = this.#options
    this.#tell(member, () =>
      // Some time passes before its next heartbeat, also after it was woken.
      scheduler.schedule(member.process, random.between(0, HEARTBEAT_MS), () =>
        member.revoked(true, () => this.join(member))
      )
    )
    if (wasOwner) this.#assign()
  }

  #leave(member: Member): void {
    this.#members = this.#members.filter(each => each !== member)
    if (this.#owner !== member) return
    this.#owner = undefined
    this.#isRevoking = false
    this.#generation++
  }

  #tell(member: Member, what: () => void): void {
    const { scheduler, delayMs } = this.#options
    const atMs = Math.max(this.#lastToldMs.get(member.process) ?? 0, scheduler.nowMs + delayMs())
    this.#lastToldMs.set(member.process, atMs)
    scheduler.schedule(member.process, atMs - scheduler.nowMs, what)
  }
}
