import assert from 'node:assert/strict'
import { BatchWriter, type TestRecord, writeInTransaction } from '../../support/batch-writer.ts'
import { KafkaAdmin } from '../../support/kafka-admin.ts'
import { startKafka } from '../../support/kafka-cluster.ts'
import { checkFlow } from './check-flow.ts'
import { type FoundKind, nothingFound } from './faults-found.ts'

interface Case {
  readonly title: string
  readonly topic: string
  readonly copies: readonly TestRecord[]
  readonly found: Partial<Record<FoundKind, number>>
}

/** And offsets: behind them stand an aborted record and its marker. */
const NUMBERS = [0, 1, 2, 3, 4]

/** The broker deletes what is too old. */
const NOW = Date.now()

const CASES: readonly Case[] = [
  { title: 'nothing wrong with a good copy', topic: 'good', copies: copiesIn('good'), found: {} },
  {
    title: 'what is lost, duplicated and in disorder',
    topic: 'moved',
    copies: [1, 0, 2, 2, 4].map(number => copiesIn('moved')[number]!),
    found: { inversions: 1, duplicated: 1, lost: 1 }
  },
  {
    title: 'what was aborted, and what nobody wrote',
    topic: 'strange',
    copies: [
      ...copiesIn('strange'),
      copyIn('strange', { headers: [['id', 'w/9']] }, 5),
      copyIn('strange', { value: 'x' }, 6)
    ],
    found: { aborted: 1, unexpected: 1 }
  },
  changed('a null key instead of an empty one', 'key', { key: null }),
  changed('an empty value instead of none', 'value', { value: '' }),
  changed('headers in another order', 'order', { headers: originalOf(0).headers!.toReversed() }),
  changed('a header less', 'header', { headers: originalOf(0).headers!.slice(0, 2) }),
  changed('an empty header instead of none', 'null-header', {
    headers: originalOf(0).headers!.map(([name, value]) => [name, value ?? ''])
  }),
  changed('another timestamp', 'timestamp', { timestamp: NOW - 1 })
]

/** The checker with its readers: one cluster holds source topics and hand-made copies of them, good and bad ones. */
describe('the checker of a flow, reading real Kafka', function () {
  this.timeout(120_000)

  const foundByTopic = new Map<string, Readonly<Record<FoundKind, number>>>()

  before(async () => {
    await using kafka = await startKafka({ name: 'checker' })
    await using admin = new KafkaAdmin(kafka.bootstrap)
    await using writer = new BatchWriter(kafka.bootstrap)
    for (const { topic, copies } of CASES) {
      await Promise.all([admin.createTopic(topic), admin.createTopic(`east.${topic}`)])
      await writer.write(topic, 0, NUMBERS.map(originalOf), 'lz4')
      const transaction = await writeInTransaction(kafka.bootstrap, topic, 0, [{ headers: [['id', 'w/9']] }])
      await transaction.abort()
      await writer.write(`east.${topic}`, 0, copies)
    }
    const verdicts = await checkFlow({
      sourceAlias: 'east',
      sourceBootstrap: kafka.bootstrap,
      destinationBootstrap: kafka.bootstrap,
      topics: CASES.map(({ topic }) => ({ name: topic, partitions: 1, compactedKeys: 0 })),
      books: CASES.map(({ topic }) => ({
        writer: 'w',
        topic,
        partition: 0,
        written: 10,
        aborted: [[9, 9]],
        uncertain: [[5, 8]]
      }))
    })
    for (const { topic, found } of verdicts) foundByTopic.set(topic, found)
  })

  for (const { title, topic, found } of CASES) {
    it(`finds ${title}`, () => assert.deepEqual(foundByTopic.get(topic), { ...nothingFound(), ...found }))
  }
})

function changed(title: string, topic: string, change: TestRecord): Case {
  const copies = copiesIn(topic).with(0, copyIn(topic, { ...originalOf(0), ...change }, 0))
  return { title, topic, copies, found: { differences: 1 } }
}

function copiesIn(topic: string): TestRecord[] {
  return NUMBERS.map(number => copyIn(topic, originalOf(number), number))
}

function copyIn(topic: string, original: TestRecord, sourceOffset: number): TestRecord {
  return { ...original, headers: [...(original.headers ?? []), ['farlog.origin', `east/${topic}/0/${sourceOffset}`]] }
}

function originalOf(number: number): TestRecord {
  return {
    key: '',
    value: null,
    headers: [
      ['id', `w/${number}`],
      ['a', null],
      ['a', '']
    ],
    timestamp: NOW + number
  }
}
