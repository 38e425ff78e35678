import assert from 'node:assert/strict'
import { Cluster } from '../../src/cluster/cluster.ts'
import { commitGroupOffsets } from '../../src/cluster/group-offsets.ts'
import { readGroup } from '../../src/cluster/group-state.ts'
import { pause } from '../../src/cluster/retry.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { ImportReport } from '../../src/import/import-flow.ts'
import { encodeHeartbeat, encodeOffsetSync, offsetSyncsTopic } from '../../src/offsets/mm2-format.ts'
import { mm2OffsetsTopic } from '../../src/offsets/mm2-positions.ts'
import { BatchWriter, type TestRecord, writeInTransaction } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { itAtLength } from '../support/long.ts'
import { type MirrorMaker, startMirrorMaker } from '../support/mirror-maker.ts'
import { readRecords } from '../support/read-records.ts'
import { until } from '../support/wait.ts'

const BATCH_RECORDS = 500
/** Not of long ago: retention would take them. */
const NOW = Date.now()

/** Taking over from a real MirrorMaker 2, judged by what an independent reader finds on both sides. */
describe('farlog import-mm2', function () {
  this.timeout(600_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let eastAdmin: KafkaAdmin
  let westAdmin: KafkaAdmin
  let eastWriter: BatchWriter
  let westWriter: BatchWriter

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    eastAdmin = new KafkaAdmin(east.bootstrap)
    westAdmin = new KafkaAdmin(west.bootstrap)
    eastWriter = new BatchWriter(east.bootstrap)
    westWriter = new BatchWriter(west.bootstrap)
  })

  after(async () => {
    await Promise.all([eastAdmin, westAdmin, eastWriter, westWriter].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  function environment(topics: string, more: Record<string, string> = {}, source = 'east'): Record<string, string> {
    return {
      FARLOG_SOURCE: source,
      FARLOG_DESTINATIONS: 'west',
      [`FARLOG_${source.toUpperCase()}_BOOTSTRAP_SERVERS`]: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_TOPICS: topics,
      ...more
    }
  }

  function mirrorMaker(topics: string, properties: Record<string, string> = {}): Promise<MirrorMaker> {
    return startMirrorMaker({
      source: { alias: 'east', bootstrap: east.bootstrap },
      destination: { alias: 'west', bootstrap: west.bootstrap },
      topics,
      properties: { 'west.offset.flush.interval.ms': '1000', ...properties }
    })
  }

  async function kill(mirrorMaker: MirrorMaker): Promise<void> {
    process.kill(mirrorMaker.pid, 'SIGKILL')
    await mirrorMaker.stop()
    await hasLeft()
  }

  /** After a kill the group has to notice. */
  async function hasLeft(): Promise<void> {
    await using cluster = new Cluster(loadConfig(environment('.*')).flows[0]!.destination, 'test')
    await cluster.refresh([])
    const signal = new AbortController().signal
    await until(async () => (await readGroup(cluster, 'east-mm2', 'classic', signal)).members === 0, {
      timeoutMs: 60_000,
      describe: 'MirrorMaker to be out of its group'
    })
  }

  /** Records of which no two are alike. */
  async function fill(topic: string, partition: number, count: number, first = 0): Promise<void> {
    for (let from = first; from < first + count; from += BATCH_RECORDS) {
      const length = Math.min(BATCH_RECORDS, first + count - from)
      await eastWriter.write(topic, partition, uniqueRecords(topic, partition, from, length))
    }
  }

  /** Writes such records until it is stopped, slower than anybody mirrors them. */
  function keepFilling(topic: string, partitions: number): AsyncDisposable & { stop(): Promise<void> } {
    const stopping = new AbortController()
    const fillOn = async () => {
      for (let first = 0; !stopping.signal.aborted; first += 50) {
        for (let partition = 0; partition < partitions; partition++) await fill(topic, partition, 50, first)
        await pause(20, stopping.signal)
      }
    }
    const filling = fillOn()
    filling.catch(() => {})
    const stop = async () => {
      stopping.abort()
      await filling
    }
    return { stop, [Symbol.asyncDispose]: stop }
  }

  async function importMm2(env: Record<string, string>, ...args: string[]) {
    const { code, stdout, stderr } = await runFarlog(['import-mm2', '--json', ...args], env)
    assert.equal(stderr, '')
    return { code, report: JSON.parse(stdout) as ImportReport }
  }

  async function mirror(env: Record<string, string>, topic: string, partitions: number): Promise<void> {
    await using worker: FarlogProcess = await startFarlog(env)
    await caughtUp(worker, eastAdmin, topic, { partitions })
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
  }

  /** How often each value is in a partition, as kcat reads it. */
  async function valueCounts(bootstrap: string, topic: string, partition: number): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const { key, value, headers } of await readRecords(bootstrap, topic, partition)) {
      const own = headers.filter(([name]) => name !== 'farlog.origin')
      const content = JSON.stringify([key, value, own])
      counts.set(content, (counts.get(content) ?? 0) + 1)
    }
    return counts
  }

  /** Every source record has its copy, and none got a second one since `before`, when MirrorMaker 2 alone had copied. */
  async function assertTakenOver(
    topic: string,
    destinationTopic: string,
    partition: number,
    before: Map<string, number>
  ): Promise<void> {
    const originals = await valueCounts(east.bootstrap, topic, partition)
    const copies = await valueCounts(west.bootstrap, destinationTopic, partition)
    const missing = [...originals.keys()].filter(content => !copies.has(content))
    assert.deepEqual(missing, [])
    const again = [...copies].filter(([content, count]) => count > Math.max(1, before.get(content) ?? 0))
    assert.deepEqual(again, [])
    assert.ok(copies.size > before.size, 'farlog had something left to copy')
  }

  itAtLength('takes over from one that was killed mid-way, and killed again after it had begun again', async () => {
    await eastAdmin.createTopic('killed', 2)
    await westAdmin.createTopic('east.killed', 2)
    const env = environment('killed')
    const ends = async () => (await westAdmin.offsets('east.killed', 2)).map(({ highWatermark }) => highWatermark)
    const copiesOf = (partition: number) => valueCounts(west.bootstrap, 'east.killed', partition)
    const hasCopied = (count: number, since: readonly number[]) =>
      until(async () => (await ends()).every((end, partition) => end > since[partition]! + count), {
        timeoutMs: 120_000,
        describe: `${count} copies in each partition`
      })
    await using writing = keepFilling('killed', 2)
    {
      await using first = await mirrorMaker('killed')
      await hasCopied(2_000, [0, 0])
      // While it runs, it is not taken over from.
      const running = await runFarlog(['import-mm2'], env)
      assert.equal(running.code, 1)
      assert.match(
        running.stderr,
        /^farlog import-mm2: MirrorMaker 2 is running: group east-mm2 at west has 1 member; stop it .*\n$/
      )
      const copying = await runFarlog(['import-mm2', '--assume-stopped'], env)
      assert.equal(copying.code, 1)
      assert.match(
        copying.stderr,
        /^farlog import-mm2: something still writes to west: east\.killed-\d ended at offset /
      )
      await kill(first)
    }
    const afterFirst = await Promise.all([0, 1].map(copiesOf))
    const dry = await importMm2(env, '--dry-run')
    assert.equal(dry.code, 0, JSON.stringify(dry.report))
    assert.equal(dry.report.isCommitted, false)
    // It began at source offset 0 and left nothing out, so that the number of different copies is the offset of what comes next.
    assert.deepEqual(
      dry.report.partitions.map(({ result, nextSourceOffset }) => [result, nextSourceOffset]),
      afterFirst.map(({ size }) => ['exact', size])
    )
    {
      const since = await ends()
      await using second = await mirrorMaker('killed')
      await hasCopied(2_000, since)
      await kill(second)
    }
    const before = await Promise.all([0, 1].map(copiesOf))
    const { code, report } = await importMm2(env)
    assert.equal(code, 0, JSON.stringify(report))
    assert.deepEqual(
      report.partitions.map(({ result, nextSourceOffset }) => [result, nextSourceOffset]),
      before.map(({ size }) => ['exact', size])
    )
    assert.equal(report.isCommitted, true)
    await writing.stop()

    await mirror(env, 'killed', 2)
    for (const partition of [0, 1]) await assertTakenOver('killed', 'east.killed', partition, before[partition]!)
  })

  it('takes over from one that was stopped in order, under the identity policy', async () => {
    await eastAdmin.createTopic('stopped', 2)
    await fill('stopped', 0, 3_000)
    const env = environment('stopped', {
      FARLOG_REPLICATION_POLICY: 'identity',
      FARLOG_GROUP_ID: 'test-stopped'
    })
    {
      await using mm2 = await mirrorMaker('stopped', {
        'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
        'offset-syncs.topic.location': 'target'
      })
      await until(async () => (await westAdmin.offsets('stopped'))[0]!.highWatermark === 3_000, {
        timeoutMs: 120_000,
        describe: 'the copies'
      })
      await mm2.stop()
    }
    await hasLeft()
    const before = await valueCounts(west.bootstrap, 'stopped', 0)
    await fill('stopped', 0, 1_000, 3_000)
    await fill('stopped', 1, 10)
    const { code, report } = await importMm2(env)
    assert.equal(code, 0, JSON.stringify(report))
    assert.deepEqual(
      report.partitions.map(({ result, mirrorMakerNextOffset, nextSourceOffset }) => [
        result,
        mirrorMakerNextOffset,
        nextSourceOffset
      ]),
      [
        ['exact', 3_000, 3_000],
        ['untouched', null, null]
      ]
    )
    await mirror(env, 'stopped', 2)
    await assertTakenOver('stopped', 'stopped', 0, before)
    await assertTakenOver('stopped', 'stopped', 1, new Map())
  })

  it('takes over where aborted records were copied, as MirrorMaker 2 does unless told otherwise', async () => {
    await eastAdmin.createTopic('aborted')
    for (let round = 0; round < 5; round++) {
      await fill('aborted', 0, 20, round * 20)
      const records = uniqueRecords(`aborted by ${round}`, 0, 0, 5)
      const transaction = await writeInTransaction(east.bootstrap, 'aborted', 0, records)
      await transaction.abort()
    }
    {
      await using mm2 = await mirrorMaker('aborted')
      await until(async () => (await westAdmin.offsets('east.aborted'))[0]!.highWatermark === 125, {
        timeoutMs: 120_000,
        describe: 'the copies'
      })
      await kill(mm2)
    }
    const before = await valueCounts(west.bootstrap, 'east.aborted', 0)
    await fill('aborted', 0, 50, 100)
    const env = environment('aborted', { FARLOG_GROUP_ID: 'test-aborted' })
    const { code, report } = await importMm2(env)
    assert.equal(code, 0, JSON.stringify(report))
    await mirror(env, 'aborted', 1)
    await assertTakenOver('aborted', 'east.aborted', 0, before)
  })

  describe('from what a MirrorMaker 2 might have left behind', () => {
    /** As if a MirrorMaker 2 from a cluster called north, which is east, had done it. */
    const POSITIONS = mm2OffsetsTopic('north')
    const GROUP = 'test-north'

    before(async () => {
      await westAdmin.createTopic(POSITIONS, 3, { 'cleanup.policy': 'compact' })
      await westAdmin.createTopic(offsetSyncsTopic('north'), 1, { 'cleanup.policy': 'compact' })
    })

    const north = (topic: string, more: Record<string, string> = {}) =>
      environment(topic, { FARLOG_GROUP_ID: GROUP, ...more }, 'north')

    async function leaveBehind(
      topic: string,
      left: {
        source: string
        destination: string
        position?: number | null
        syncs?: readonly (readonly [upstreamOffset: number, downstreamOffset: number])[]
      }
    ): Promise<void> {
      await eastAdmin.createTopic(topic)
      await westAdmin.createTopic(`north.${topic}`)
      await eastWriter.write(topic, 0, letters(left.source))
      if (left.destination !== '') await westWriter.write(`north.${topic}`, 0, letters(left.destination))
      const key = JSON.stringify(['MirrorSourceConnector', { cluster: 'north', partition: 0, topic }])
      if (left.position !== undefined) {
        await westWriter.write(POSITIONS, 1, [
          { key, value: '{"offset":0}' },
          { key, value: left.position === null ? null : `{"offset":${left.position}}` }
        ])
      }
      for (const [upstreamOffset, downstreamOffset] of left.syncs ?? []) {
        await westWriter.write(offsetSyncsTopic('north'), 0, [
          encodeOffsetSync({ topic, partition: 0, upstreamOffset, downstreamOffset })
        ])
      }
    }

    async function committed(topic: string): Promise<(number | undefined)[]> {
      return [
        (await eastAdmin.committedOffsets(GROUP, topic)).get(0),
        (await westAdmin.committedOffsets(GROUP, `north.${topic}`)).get(0)
      ]
    }

    it('refuses a partition whose logs do not go together, unless the position is to be taken', async () => {
      await leaveBehind('apart', { source: 'abcdef', destination: 'abX', position: 1, syncs: [[0, 0]] })
      const { code, stdout } = await runFarlog(['import-mm2'], north('apart'))
      assert.equal(code, 1)
      assert.match(
        stdout,
        /apart +0 +2 +- {2}refused {2}destination offset 2 is no copy of source offset 2, whose turn it is: value differs \(followed from source offset 0, 2 copies on\)/
      )
      assert.match(stdout, /Nothing to commit\.\n1 partition refused\..*--from-positions/)
      assert.deepEqual(await committed('apart'), [undefined, undefined])

      const taken = await importMm2(north('apart'), '--from-positions')
      assert.equal(taken.code, 0)
      assert.deepEqual(taken.report.partitions[0]!.result, 'position')
      assert.deepEqual(await committed('apart'), [2, 2])
    })

    it('commits nothing in a dry run, and replaces progress only when told to', async () => {
      await leaveBehind('again', { source: 'abcdef', destination: 'abcd', position: 1, syncs: [[0, 0]] })
      const dry = await runFarlog(['import-mm2', '--dry-run'], north('again'))
      assert.equal(dry.code, 0)
      assert.match(dry.stdout, /again +0 +2 +4 {2}exact {3}2 beyond its position\nNothing committed \(--dry-run\)/)
      assert.deepEqual(await committed('again'), [undefined, undefined])
      await importMm2(north('again'))
      assert.deepEqual(await committed('again'), [4, 4])

      await westWriter.write('north.again', 0, letters('e'))
      assert.equal((await importMm2(north('again'))).report.partitions[0]!.result, 'kept')
      assert.deepEqual(await committed('again'), [4, 4])
      await importMm2(north('again'), '--overwrite')
      assert.deepEqual(await committed('again'), [5, 5])
    })

    it('says beside the offset which topic it is about, and that the copies so far need not be searched', async () => {
      await leaveBehind('metadata', { source: 'abcdef', destination: 'abcd', position: 1, syncs: [[0, 0]] })
      await importMm2(north('metadata'))
      const { source } = loadConfig(north('metadata')).flows[0]!
      await using cluster = new Cluster(source, 'test')
      await cluster.refresh(['metadata'])
      const { committed: commits } = await readGroup(cluster, GROUP, 'classic', new AbortController().signal)
      const { metadata } = commits.find(({ topic }) => topic === 'metadata')!
      const { topicId, destinationOffset } = JSON.parse(metadata) as Record<string, unknown>
      assert.deepEqual([topicId, destinationOffset], [cluster.topic('metadata')!.topicId, 3])
    })

    const CASES: readonly (readonly [
      title: string,
      left: Parameters<typeof leaveBehind>[1],
      expected: readonly [result: string, nextSourceOffset: number | null],
      detail?: RegExp
    ])[] = [
      ['the copy of the record at the position', { source: 'abcdef', destination: 'bcd', position: 1 }, ['exact', 4]],
      [
        'a position with two such copies',
        { source: 'abcdef', destination: 'bcdbc', position: 1 },
        ['refused', null],
        /2 copies of source offset 1, MirrorMaker 2’s position, are in destination offsets 0 to 4/
      ],
      [
        'a position without a copy',
        { source: 'abcdef', destination: 'cd', position: 1 },
        ['refused', null],
        /no copy of source offset 1/
      ],
      ['the beginning of both logs', { source: 'abcdef', destination: 'abc' }, ['exact', 3], /no position/],
      ['a position that was taken back', { source: 'abcdef', destination: 'abc', position: null }, ['exact', 3]],
      [
        'copies of a run that got further than the last one',
        {
          source: 'abcdef',
          destination: 'abcdebc',
          position: 0,
          syncs: [
            [0, 0],
            [1, 5]
          ]
        },
        ['exact', 5],
        /2 of its last copies are second ones/
      ],
      [
        'a destination that ends before the position',
        { source: 'abcdef', destination: 'abc', position: 4, syncs: [[0, 0]] },
        ['refused', null],
        /has written up to source offset 4, but the newest copy is of source offset 2/
      ],
      [
        'a destination with more than the source has',
        { source: 'abc', destination: 'abcd', syncs: [[0, 0]] },
        ['refused', null],
        /destination offset 3 is no copy of anything/
      ],
      ['nothing', { source: 'abc', destination: '' }, ['untouched', null]]
    ]
    describe('finds its place by', () => {
      let found: ImportReport['partitions']

      before(async () => {
        for (const [index, [, left]] of CASES.entries()) await leaveBehind(`case${index}`, left)
        const { report } = await importMm2(north('case.*', { FARLOG_GROUP_ID: 'test-cases' }), '--dry-run')
        found = report.partitions
      })

      for (const [index, [title, , expected, detail = /^/]] of CASES.entries()) {
        it(`${title}: ${expected[0]}`, () => {
          const place = found.find(({ topic }) => topic === `case${index}`)!
          assert.deepEqual([place.result, place.nextSourceOffset], expected, JSON.stringify(place))
          assert.match(place.detail, detail)
        })
      }
    })

    it('accepts an empty destination only where the source has nothing beyond the position', async () => {
      for (const [topic, position] of [
        ['emptied', 2],
        ['emptied-behind', 1]
      ] as const) {
        await leaveBehind(topic, { source: 'abc', destination: 'abc', position })
        await westAdmin.deleteRecordsBefore(`north.${topic}`, 0, 3)
      }
      const { report } = await importMm2(north('emptied.*'), '--dry-run')
      const found = new Map(
        report.partitions.map(({ topic, result, nextSourceOffset }) => [topic, [result, nextSourceOffset]])
      )
      assert.deepEqual(found.get('emptied'), ['exact', 3])
      assert.deepEqual(found.get('emptied-behind'), ['refused', null])
    })

    it('does not replace anything under a running worker', async () => {
      await leaveBehind('owned', { source: 'abcdef', destination: 'abcd', position: 1, syncs: [[0, 0]] })
      await importMm2(north('owned'))
      await using worker = await startFarlog(north('owned'))
      await caughtUp(worker, eastAdmin, 'owned')
      const { code, stderr } = await runFarlog(['import-mm2', '--overwrite'], north('owned'))
      assert.equal(code, 1)
      assert.match(
        stderr,
        /^farlog import-mm2: farlog’s group test-north at north has 1 member: stop its workers first\n$/
      )
      // Whoever does not look gets no further: the coordinator takes commits from outside only while there is no member.
      await using cluster = new Cluster(loadConfig(north('owned')).flows[0]!.source, 'test')
      await cluster.refresh([])
      const back = [{ topic: 'owned', partition: 0, offset: 0, metadata: '' }]
      await assert.rejects(commitGroupOffsets(cluster, GROUP, back, new AbortController().signal), {
        code: 'UNKNOWN_MEMBER_ID'
      })
      const copies = await readRecords(west.bootstrap, 'north.owned')
      assert.deepEqual(copies.map(({ value }) => value).join(''), 'abcdef')
    })

    it('takes a heartbeat of the flow for a MirrorMaker 2 that runs, unless told otherwise', async () => {
      await leaveBehind('beating', { source: 'abcdef', destination: 'abcd', position: 1, syncs: [[0, 0]] })
      if (!(await westAdmin.topics()).includes('heartbeats')) await westAdmin.createTopic('heartbeats')
      const env = north('beating', { FARLOG_GROUP_ID: 'test-beating' })
      const importWhileBeating = async (source: string, ...args: string[]) => {
        const importing = runFarlog(['import-mm2', '--dry-run', ...args], env)
        const heartbeat = { source, target: 'west', timestampMs: NOW }
        let hasEnded = false
        void importing.finally(() => {
          hasEnded = true
        })
        while (!hasEnded) {
          await westWriter.write('heartbeats', 0, [encodeHeartbeat(heartbeat)])
          await pause(200)
        }
        return importing
      }
      const { code, stderr } = await importWhileBeating('north')
      assert.equal(code, 1)
      assert.match(stderr, /MirrorMaker 2 is running: a heartbeat of north->west has just come to heartbeats at west/)
      assert.equal((await importWhileBeating('north', '--assume-stopped')).code, 0)
      assert.equal((await importWhileBeating('south')).code, 0)
    })

    it('names the option where the positions are elsewhere', async () => {
      const env = environment('killed', {}, 'south')
      const { code, stderr } = await runFarlog(['import-mm2'], env)
      assert.equal(code, 1)
      assert.match(
        stderr,
        /west has no topic mm2-offsets\.south\.internal: name MirrorMaker 2’s offsets topic by --offsets-topic/
      )
    })
  })
})

function uniqueRecords(topic: string, partition: number, first: number, count: number): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `${(first + i) % 7}`,
    value: `${topic}-${partition} ${first + i} ${'.'.repeat(100)}`,
    headers: [['number', `${first + i}`]],
    timestamp: NOW + first + i
  }))
}

/** One record a letter; equal letters are equal records. */
function letters(text: string): TestRecord[] {
  return [...text].map(value => ({ key: null, value, timestamp: NOW }))
}
