import assert from 'node:assert/strict'
import { logged } from '../fault/support/bed.ts'
import { caughtUp } from '../support/caught-up.ts'
import type { FarlogProcess, LogLine } from '../support/farlog-process.ts'
import type { KafkaAdmin } from '../support/kafka-admin.ts'
import { readRecords, sourceOffsets } from '../support/read-records.ts'
import { until } from '../support/wait.ts'
import { MODES, type Mode } from './support/modes.ts'
import { SecurityBed } from './support/security-bed.ts'

/** Most of a scenario is waiting. */
const AT_A_TIME = 5

describe('a worker whose clusters want to know who it is', function () {
  this.timeout(180_000)

  let bed: SecurityBed
  const scenarios = new Map<Mode, Promise<void>>()

  before(async () => {
    bed = await SecurityBed.start()
    const ends: Promise<void>[] = []
    for (const [index, mode] of MODES.entries()) {
      const before = ends[index - AT_A_TIME] ?? Promise.resolve()
      const scenario = before.then(() => comesInWithTheRightCredentials(mode))
      scenarios.set(mode, scenario)
      ends.push(scenario.catch(() => {}))
    }
  })

  after(() => bed?.[Symbol.asyncDispose]())

  for (const mode of MODES) {
    it(`by ${mode.title}: says once at each side what is wrong, tries again, and mirrors when it is put right`, () =>
      scenarios.get(mode))
  }

  async function comesInWithTheRightCredentials(mode: Mode): Promise<void> {
    const topic = mode.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    await bed.createTopic(topic)
    const [east, west] = [mode.east(bed, 'east'), mode.west(bed, 'west')]
    const worker = await bed.startWorker(topic, { ...east.env, ...west.env })
    await isRefused(worker, east.refusal)
    await triesMoreAndMoreSeldom(worker, east.refusal)
    east.putRight()
    await isRefused(worker, west.refusal)
    west.putRight()
    await worker.waitReady(60_000)
    await caughtUp(worker, bed.eastAdmin, topic)
    await bed.write(topic)
    await caughtUp(worker, bed.eastAdmin, topic)
    const copies = await readRecords(bed.west.bootstrap, `east.${topic}`)
    assert.deepEqual(
      sourceOffsets(copies),
      Array.from({ length: 20 }, (_, i) => i)
    )
    const { groupId } = (await worker.status()).flows[0]!
    await isCommitted(bed.eastAdmin, groupId, topic)
    await isCommitted(bed.westAdmin, groupId, `east.${topic}`)
    assert.deepEqual(linesWith(worker, east.refusal).length, 1)
    assert.deepEqual(linesWith(worker, west.refusal).length, 1)
    assert.deepEqual(worker.otherOutput, [])
    worker.kill('SIGTERM')
    assert.equal((await worker.exit).code, 0)
  }

  /** A line that a person sees, and the reason in /readyz. */
  async function isRefused(worker: FarlogProcess, refusal: string): Promise<void> {
    await logged(worker, new RegExp(`"warn".*${escaped(refusal)}`))
    await until(
      async () => {
        const notReady = await fetch(`${worker.url}/readyz`)
        assert.equal(notReady.status, 503)
        const { reason } = (await notReady.json()) as { reason: string }
        assert.ok(reason.startsWith(refusal), reason)
        return true
      },
      { describe: '/readyz to have the reason' }
    )
  }

  async function triesMoreAndMoreSeldom(worker: FarlogProcess, refusal: string): Promise<void> {
    const [, , third, fourth] = await until(
      () => {
        const lines = worker.logs.filter(line => isAbout(line, refusal) && line.msg.startsWith('looking for topics'))
        return lines.length >= 4 && lines.map(({ time }) => Date.parse(String(time)))
      },
      { describe: 'four attempts' }
    )
    // 0.5 s doubled twice, less the half that is left to chance.
    assert.ok(fourth! - third! >= 1_000, `${fourth! - third!} ms`)
  }

  async function isCommitted(admin: KafkaAdmin, groupId: string, topic: string): Promise<void> {
    await until(async () => (await admin.committedOffsets(groupId, topic)).get(0) === 20, {
      describe: `all of ${topic} to be committed`
    })
  }
})

/** Of those that an operator sees. */
function linesWith(worker: FarlogProcess, refusal: string): LogLine[] {
  return worker.logs.filter(line => isAbout(line, refusal) && ['warn', 'error'].includes(String(line.level)))
}

function isAbout(line: LogLine, refusal: string): boolean {
  return String(line.error).startsWith(refusal)
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
