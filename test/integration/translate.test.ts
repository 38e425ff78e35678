import assert from 'node:assert/strict'
import { Cluster } from '../../src/cluster/cluster.ts'
import { LATEST, listOffset } from '../../src/cluster/offsets.ts'
import { readRecords } from '../../src/cluster/record-reader.ts'
import { OffsetTranslator, type Translation } from '../../src/offsets/offset-translator.ts'
import { ProvenanceReader } from '../../src/rewrite/provenance.ts'
import type { TranslatedOffset } from '../../src/status/flow-translator.ts'
import { BatchWriter, writeInTransaction } from '../support/batch-writer.ts'
import { caughtUp } from '../support/caught-up.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { plainCluster } from '../support/plain-cluster.ts'
import { readRecords as readAll } from '../support/read-records.ts'
import { until } from '../support/wait.ts'

const SIGNAL = new AbortController().signal
const ROUNDS = 30
const COMPACTED = { 'cleanup.policy': 'compact', 'segment.ms': '500', 'min.cleanable.dirty.ratio': '0.001' }

/** The judge reads the whole destination record by record (`readRecords`), with a decoder that shares nothing with the search. */
describe('farlog translate', function () {
  this.timeout(240_000)

  let east: KafkaCluster
  let west: KafkaCluster
  let eastAdmin: KafkaAdmin
  let westAdmin: KafkaAdmin
  let writer: BatchWriter
  const workers: FarlogProcess[] = []

  before(async () => {
    const config = { 'log.cleaner.backoff.ms': '200' }
    ;[east, west] = await Promise.all([startKafka({ name: 'east', config }), startKafka({ name: 'west' })])
    eastAdmin = new KafkaAdmin(east.bootstrap)
    westAdmin = new KafkaAdmin(west.bootstrap)
    writer = new BatchWriter(east.bootstrap)
  })

  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  })

  after(async () => {
    await Promise.all([writer, eastAdmin, westAdmin].map(client => client?.[Symbol.asyncDispose]()))
    await Promise.all([east?.stop(), west?.stop()])
  })

  function environment(topics: string, more: Record<string, string> = {}): Record<string, string> {
    return {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REFRESH_INTERVAL: '1s',
      FARLOG_TOPICS: topics,
      FARLOG_GROUP_ID: `test-${topics}`,
      ...more
    }
  }

  async function startWorker(env: Record<string, string>): Promise<FarlogProcess> {
    const worker = await startFarlog(env)
    workers.push(worker)
    return worker
  }

  async function stopWorker(worker: FarlogProcess): Promise<void> {
    worker.kill('SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
  }

  /** Transactions committed and aborted, records in batches of their own, and keys that compaction takes. */
  async function writeOddly(topic: string, round: number): Promise<void> {
    const records = (count: number, key: string) =>
      Array.from({ length: count }, (_, i) => ({ key: `${key} ${i % 2 === 0 ? round : 0}`, value: `${round}/${i}` }))
    for (const record of records(3, 'alone')) await writer.write(topic, 0, [record])
    const committed = await writeInTransaction(east.bootstrap, topic, 0, records(2, 'committed'))
    await committed.commit()
    const aborted = await writeInTransaction(east.bootstrap, topic, 0, records(1 + (round % 3), 'aborted'))
    await aborted.abort()
    await writer.write(topic, 0, records(5 + (round % 4), 'batch'), round % 2 === 0 ? 'zstd' : 'none')
  }

  /** Waits until compaction has taken records out of the middle of the source. */
  async function compacted(topic: string): Promise<void> {
    let rolls = 0
    await until(
      async () => {
        // A segment is only rolled by an append, and only a rolled one is compacted.
        if (rolls < 3) await writer.write(topic, 0, [{ key: `roll ${rolls++}`, value: 'x' }])
        const keys = (await readAll(east.bootstrap, topic)).map(({ key }) => key)
        return new Set(keys).size === keys.length
      },
      { timeoutMs: 90_000, pauseMs: 600, describe: `${topic} to be compacted` }
    )
  }

  for (const policy of ['default', 'identity'] as const) {
    it(`agrees with a full read of the copy for every source offset (${policy})`, async () => {
      const topic = `odd-${policy}`
      const copy = policy === 'default' ? `east.${topic}` : topic
      const env = environment(topic, { FARLOG_REPLICATION_POLICY: policy, FARLOG_COMPRESSION: 'lz4' })
      // The copy stays as it is, so that what the judge has read stays true.
      await Promise.all([eastAdmin.createTopic(topic, 1, COMPACTED), westAdmin.createTopic(copy)])
      for (let round = 0; round < ROUNDS; round++) await writeOddly(topic, round)
      await compacted(topic)
      const worker = await startWorker(env)
      await caughtUp(worker, eastAdmin, topic)
      // Another owner, and so another marker in the midst of the copy; under identity other writers too.
      await stopWorker(worker)
      await using westWriter = new BatchWriter(west.bootstrap)
      if (policy === 'identity') await westWriter.write(copy, 0, [{ key: 'local', value: 'of west itself' }])
      for (let round = 0; round < ROUNDS; round++) await writeOddly(topic, ROUNDS + round)
      const next = await startWorker(env)
      await caughtUp(next, eastAdmin, topic)
      if (policy === 'identity') await westWriter.write(copy, 0, [{ key: 'local', value: 'of west again' }])

      const { logStart, highWatermark } = (await eastAdmin.offsets(topic))[0]!
      await using destination = new Cluster(plainCluster('west', west.bootstrap), 'test')
      await destination.refresh([copy])
      const copies = await copiesAt(destination, copy)
      const offsets = highWatermark - logStart
      assert.ok(copies.length > ROUNDS * 4 && copies.length < offsets, `${copies.length} copies of ${offsets} offsets`)

      const originOf = (name: string, partition: number) => new ProvenanceReader('east', name, partition)
      const remembering = new OffsetTranslator(destination, originOf)
      const copied = { topic, partition: 0, destinationTopic: copy }
      for (let sourceOffset = 0; sourceOffset <= highWatermark + 2; sourceOffset++) {
        const expected = expectedOf(copies, sourceOffset)
        for (const translator of [remembering, new OffsetTranslator(destination, originOf)]) {
          const found = await translator.translate(copied, sourceOffset, SIGNAL)
          assert.deepEqual(found, expected, `of source offset ${sourceOffset}`)
        }
      }
      await stopWorker(next)

      await assertCommandAgrees(env, topic, copies)

      // Retention at the destination: the first copy that is left.
      await westAdmin.deleteRecordsBefore(copy, 0, copies[10]!.destinationOffset + 1)
      assert.deepEqual(await remembering.translate(copied, 0, SIGNAL), expectedOf(copies.slice(11), 0))
    })
  }

  /** From outside: the answer, its forms, and its exit codes. */
  async function assertCommandAgrees(env: Record<string, string>, topic: string, copies: readonly Copied[]) {
    const middle = copies[Math.floor(copies.length / 2)]!
    const position = ['--topic', topic, '--partition', '0', '--offset', String(middle.sourceOffset)]
    const shown = await runFarlog(['translate', ...position, '--json'], env)
    assert.equal(shown.code, 0, shown.stderr)
    const { destinationOffset, kind, copySourceOffset } = JSON.parse(shown.stdout) as TranslatedOffset
    assert.deepEqual({ ...middle, kind: 'copy' }, { destinationOffset, sourceOffset: copySourceOffset, kind })
    const table = await runFarlog(['translate', ...position], env)
    assert.match(table.stdout, new RegExp(` ${middle.sourceOffset}  \\S+ +${middle.destinationOffset}  copy$`, 'm'))
  }

  it('tells where a group goes on, and that what is not mirrored yet has no place', async () => {
    const env = environment('grouped')
    await eastAdmin.createTopic('grouped', 3)
    const records = Array.from({ length: 20 }, (_, i) => ({ key: `${i}`, value: `${i}` }))
    await writer.write('grouped', 0, records)
    await writer.write('grouped', 1, records)
    // The transaction's marker is passed by progress, not by any copy.
    const open = await writeInTransaction(east.bootstrap, 'grouped', 1, records.slice(0, 2))
    await open.abort()
    const worker = await startWorker(env)
    await caughtUp(worker, eastAdmin, 'grouped', { partitions: 3 })
    await stopWorker(worker)
    await writer.write('grouped', 0, records)
    await eastAdmin.commitOffsets('readers', 'grouped', [
      [0, 7],
      [1, 23]
    ])
    const shown = await runFarlog(['translate', '--group', 'readers', '--json'], env)
    assert.equal(shown.code, 0, shown.stderr)
    const { group, partitions } = JSON.parse(shown.stdout) as { group: string; partitions: TranslatedOffset[] }
    assert.equal(group, 'readers')
    const [first, second] = partitions
    assert.deepEqual([first!.kind, first!.copySourceOffset, partitions.length], ['copy', 7, 2])
    // Behind the marker of the aborted transaction: all below is mirrored, and no copy stands there.
    assert.deepEqual([second!.kind, second!.sourceOffset, second!.copySourceOffset], ['end', 23, 19])

    await eastAdmin.commitOffsets('readers', 'grouped', [[0, 33]])
    const behind = await runFarlog(['translate', '--group', 'readers'], env)
    assert.equal(behind.code, 1)
    assert.match(behind.stdout, /^grouped +0 +33 +east\.grouped +- +none$/m)
    assert.match(behind.stderr, /farlog translate: grouped-0 is mirrored to west up to source offset 20 only/)
  })

  it('needs the destination alone, and says what is wrong otherwise', async () => {
    const env = environment('lonely')
    await eastAdmin.createTopic('lonely')
    await writer.write('lonely', 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }])
    const worker = await startWorker(env)
    await caughtUp(worker, eastAdmin, 'lonely')
    await stopWorker(worker)
    const [port] = await freePorts(1)
    const cutOff = { ...env, FARLOG_EAST_BOOTSTRAP_SERVERS: `127.0.0.1:${port}` }
    const at = (topic: string, partition: number, offset: number) => [
      ...['translate', '--topic', topic, '--partition', String(partition), '--offset', String(offset)]
    ]
    const answered = await runFarlog([...at('lonely', 0, 1), '--json'], cutOff)
    assert.equal(answered.code, 0, answered.stderr)
    assert.match(answered.stderr, /east \(127\.0\.0\.1:\d+\) cannot be reached/)
    assert.equal((JSON.parse(answered.stdout) as TranslatedOffset).copySourceOffset, 1)

    const wrong: [string[], Record<string, string>, number, RegExp][] = [
      [at('lonely', 0, 9), env, 1, /lonely-0 is mirrored to west up to source offset 3 only/],
      [at('lonely', 7, 1), env, 1, /east\.lonely has 1 partition at west, so no 7/],
      [at('else', 0, 1), env, 1, /else is not mirrored from east to west/],
      [['translate', '--group', 'nobody'], env, 1, /group nobody has committed nothing at east/],
      [['translate', '--group', 'nobody'], cutOff, 1, /east .* cannot be reached/],
      [['translate', '--topic', 'lonely', '--partition', '0'], env, 2, /--offset is needed: a source offset/],
      [['translate', '--partition', '0', '--offset', '1'], env, 2, /--topic is needed/],
      [['translate', '--group', 'g', '--offset', '1'], env, 2, /--group stands alone/]
    ]
    for (const [args, variables, code, message] of wrong) {
      const result = await runFarlog(args, variables)
      assert.equal(result.code, code, args.join(' '))
      assert.match(result.stderr, message)
    }
  })

  it('means the topic of now where it was made anew and mirrored on', async () => {
    const env = environment('again', { FARLOG_ON_GAP: 'continue' })
    const values = (count: number) => Array.from({ length: count }, (_, i) => ({ key: `${i}`, value: `${i}` }))
    await eastAdmin.createTopic('again')
    await writer.write('again', 0, values(30))
    const worker = await startWorker(env)
    await caughtUp(worker, eastAdmin, 'again')
    await stopWorker(worker)
    await eastAdmin.deleteTopic('again')
    await eastAdmin.createTopic('again')
    await writer.write('again', 0, values(20))
    const next = await startWorker(env)
    await caughtUp(next, eastAdmin, 'again')
    await stopWorker(next)
    await using destination = new Cluster(plainCluster('west', west.bootstrap), 'test')
    await destination.refresh(['east.again'])
    const copies = await copiesAt(destination, 'east.again')
    assert.deepEqual([copies.length, copies[30]!.sourceOffset], [50, 0])
    for (const sourceOffset of [0, 10, 19]) {
      const { code, stdout, stderr } = await runFarlog(
        ['translate', '--topic', 'again', '--partition', '0', '--offset', String(sourceOffset), '--json'],
        env
      )
      assert.equal(code, 0, stderr)
      const { destinationOffset } = JSON.parse(stdout) as TranslatedOffset
      assert.equal(destinationOffset, copies[30 + sourceOffset]!.destinationOffset)
    }
  })

  interface Copied {
    readonly sourceOffset: number
    readonly destinationOffset: number
  }

  /** Every copy in the partition, by reading all of it. */
  async function copiesAt(destination: Cluster, topic: string): Promise<Copied[]> {
    const partition = { topic, partition: 0 }
    const endOffset = await listOffset(destination, partition, LATEST, 'read_committed')
    const range = { ...partition, topicId: destination.topic(topic)!.topicId, fromOffset: 0, endOffset }
    const copies: Copied[] = []
    for await (const { records } of readRecords(destination, range, { purpose: 'test' })) {
      for (const { offset, headers } of records) {
        const origin = headers.findLast(([name]) => String(name) === 'farlog.origin')?.[1]
        if (origin) copies.push({ sourceOffset: Number(String(origin).split('/')[3]), destinationOffset: offset })
      }
    }
    return copies
  }
})

function expectedOf(
  copies: readonly { readonly sourceOffset: number; readonly destinationOffset: number }[],
  sourceOffset: number
): Translation {
  const found = copies.find(copy => copy.sourceOffset >= sourceOffset)
  if (found !== undefined) return { ...found, kind: 'copy', isBehindOthers: false }
  const newest = copies.at(-1)!
  return {
    destinationOffset: newest.destinationOffset + 1,
    kind: 'end',
    sourceOffset: newest.sourceOffset,
    isBehindOthers: false
  }
}
