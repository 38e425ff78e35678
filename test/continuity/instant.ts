import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { FailoverReport } from '../../src/failover/failover.ts'
import { runFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import { until } from '../support/wait.ts'
import { farlogEnv, type Mirror } from './mirrors.ts'
import { nameOf, TOPICS } from './topics.ts'

const CHECKPOINTS_PARTITIONS = 1
/** What a mirror had sent before it was stopped arrives in this time. */
const SETTLED_MS = 300

/** Where a group stood, by source partition. */
export type Offsets = ReadonlyMap<string, number>

/** The destination as a mirror had left it, with nothing of it under way any more. */
export interface MirrorInstant {
  /** Where the group is at the destination. */
  readonly group: Offsets
  /** Where the copies end. */
  readonly ends: Offsets
  /** Where the checkpoints end. */
  readonly checkpointsEnd: number
}

/** Reads it from a mirror that stands still. */
export async function readInstant(west: KafkaAdmin, { alias, name }: Mirror, group: string): Promise<MirrorInstant> {
  let before: MirrorInstant | undefined
  return until(
    async () => {
      const now = await look(west, alias, group)
      const isSettled = isDeepStrictEqual(now, before)
      before = now
      return isSettled ? now : undefined
    },
    { pauseMs: SETTLED_MS, describe: `what ${name} has sent to arrive` }
  )
}

async function look(west: KafkaAdmin, alias: string, group: string): Promise<MirrorInstant> {
  const atDestination = new Map<string, number>()
  const ends = new Map<string, number>()
  for (const { name, partitions } of TOPICS) {
    const copy = `${alias}.${name}`
    for (const [partition, offset] of await west.committedOffsets(group, copy)) {
      atDestination.set(nameOf({ topic: name, partition }), offset)
    }
    for (const { partition, highWatermark } of await west.offsets(copy, partitions)) {
      ends.set(nameOf({ topic: name, partition }), highWatermark)
    }
  }
  const checkpoints = await west.offsets(`${alias}.checkpoints.internal`, CHECKPOINTS_PARTITIONS)
  return { group: atDestination, ends, checkpointsEnd: checkpoints[0]!.highWatermark }
}

/** Where `farlog failover` would have the group go on, with a source that is gone. */
export async function failoverPlaces(westBootstrap: string, group: string): Promise<Offsets> {
  const [port] = await freePorts(1)
  const args = ['failover', '--dry-run', '--json', '--groups', group]
  const { code, stdout, stderr } = await runFarlog(args, farlogEnv(`127.0.0.1:${port}`, westBootstrap))
  assert.equal(code, 0, stderr)
  const { groups } = JSON.parse(stdout) as FailoverReport
  assert.deepEqual(
    groups.map(each => each.group),
    [group]
  )
  return new Map(
    groups[0]!.offsets.map(({ destinationOffset, committedOffset, ...partition }) => [
      nameOf(partition),
      // Groups only move forwards.
      Math.max(destinationOffset, committedOffset ?? 0)
    ])
  )
}
