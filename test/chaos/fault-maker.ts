import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { until } from '../support/wait.ts'
import type { Bed, Site } from './bed.ts'
import type { Fault, NetworkFault } from './schedule.ts'
import type { Workers } from './workers.ts'

/** A broker that is killed meanwhile comes back within this time, also on a busy machine. */
const ADMIN_TIMEOUT_MS = 180_000

/** Makes faults happen, and undoes them. */
export class FaultMaker {
  readonly #bed: Bed
  readonly #workers: Workers

  constructor(bed: Bed, workers: Workers) {
    this.#bed = bed
    this.#workers = workers
  }

  /** Resolves when what was befallen runs again. */
  async make(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'kill worker':
        await this.#workers.kill(fault.worker)
        return this.#workers.start(fault.worker)
      case 'stop worker':
        await this.#workers.stop(fault.worker)
        return this.#workers.start(fault.worker)
      case 'pause worker':
        this.#workers.pause(fault.worker)
        await sleep(fault.durationMs)
        return this.#workers.wake(fault.worker)
      case 'add worker':
        return this.#workers.start(fault.worker)
      case 'remove worker':
        return this.#workers.stop(fault.worker)
      case 'kill broker':
      case 'stop broker':
      case 'pause broker':
        return makeBrokerFault(this.#bed.sites[fault.side], fault.kind, fault.durationMs)
      case 'add partition':
        return this.#addPartition(fault.topic)
      case 'lose progress':
        return this.#loseProgress()
      default:
        return makeNetworkFault(this.#bed.sites[fault.side], fault, fault.durationMs)
    }
  }

  async #addPartition(topic: string): Promise<void> {
    const { partitionsByTopic, sites } = this.#bed
    const count = partitionsByTopic.get(topic)! + 1
    await until(
      async () => {
        await using admin = new KafkaAdmin(sites.source.bootstrap)
        // It may be there although the answer to the last attempt was lost.
        if (await hasPartitions(admin, topic, count)) return true
        await admin.addPartitions(topic, count)
        return true
      },
      { timeoutMs: ADMIN_TIMEOUT_MS, pauseMs: 500, describe: `${topic} to have ${count} partitions` }
    )
    partitionsByTopic.set(topic, count)
  }

  async #loseProgress(): Promise<void> {
    const { numbers } = this.#workers
    await Promise.all(numbers.map(worker => this.#workers.stop(worker)))
    const { source, destination } = this.#bed.sites
    const groupId = `farlog-${source.alias}-${destination.alias}`
    // Of workers that were killed the coordinator hears nothing for a while, and keeps the group.
    await until(() => deleteGroup(source.bootstrap, groupId), {
      timeoutMs: ADMIN_TIMEOUT_MS,
      pauseMs: 250,
      describe: `the group ${groupId} to be deleted`
    })
    await Promise.all(numbers.map(worker => this.#workers.start(worker)))
  }
}

async function makeBrokerFault({ broker }: Site, kind: string, durationMs: number): Promise<void> {
  if (kind === 'pause broker') {
    await broker.kill('SIGSTOP')
    await sleep(durationMs)
    return broker.kill('SIGCONT')
  }
  if (kind === 'kill broker') await broker.kill('SIGKILL')
  else await broker.stop()
  await sleep(durationMs)
  await broker.restart()
}

async function makeNetworkFault({ network }: Site, { kind, toxics }: NetworkFault, durationMs: number): Promise<void> {
  try {
    if (kind === 'cut') await network.cut()
    else await network.poison(...toxics)
    await sleep(durationMs)
  } finally {
    await network.heal()
  }
}

async function hasPartitions(admin: KafkaAdmin, topic: string, count: number): Promise<boolean> {
  try {
    await admin.offsets(topic, count)
    return true
  } catch {
    return false
  }
}

/** `true` also where there is none: nobody may have joined yet. */
async function deleteGroup(bootstrap: string, groupId: string): Promise<boolean> {
  const admin = new Admin({ clientId: 'chaos', bootstrapBrokers: [bootstrap], retries: 0 })
  try {
    const groups = await admin.listGroups()
    if (groups.has(groupId)) await admin.deleteGroups({ groups: [groupId] })
    return true
  } finally {
    await admin.close()
  }
}
