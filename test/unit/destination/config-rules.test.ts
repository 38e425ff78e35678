import assert from 'node:assert/strict'
import type { ConfigEntry, TopicConfig } from '../../../src/cluster/topic-admin.ts'
import { configChanges, copiedConfigs } from '../../../src/destination/config-rules.ts'

const EXCLUDED = [
  'follower.replication.throttled.replicas',
  'leader.replication.throttled.replicas',
  'message.timestamp.difference.max.ms',
  'message.timestamp.type',
  'unclean.leader.election.enable',
  'min.insync.replicas'
]

describe('the rules of topic configurations', () => {
  it('copy what is set on the topic itself, and nothing that is excluded, read-only or sensitive', () => {
    const source = config({
      'retention.ms': set('1000'),
      'segment.bytes': broker('4096'),
      'cleanup.policy': unset('delete'),
      'read.only': { ...set('1'), isFixed: true },
      secret: set(null),
      ...Object.fromEntries(EXCLUDED.map(name => [name, set('1')]))
    })
    assert.deepEqual(copiedConfigs(source), [{ name: 'retention.ms', value: '1000' }])
  })

  const rows: { title: string; source: ConfigEntry; destination: ConfigEntry; change: string | null | 'none' }[] = [
    { title: 'set an entry that is not set', source: set('1'), destination: unset('2'), change: '1' },
    { title: 'set an entry that only the brokers have', source: set('1'), destination: broker('1'), change: '1' },
    { title: 'set an entry that is set otherwise', source: set('1'), destination: set('2'), change: '1' },
    { title: 'leave an entry that is set alike', source: set('1'), destination: set('1'), change: 'none' },
    {
      title: 'remove an entry that the source has by default',
      source: unset('1'),
      destination: set('2'),
      change: null
    },
    { title: 'remove it also where the values agree', source: unset('1'), destination: set('1'), change: null },
    { title: 'leave both defaults', source: unset('1'), destination: unset('2'), change: 'none' },
    { title: 'leave what the source’s brokers set', source: broker('1'), destination: set('2'), change: 'none' },
    { title: 'leave what both clusters’ brokers set', source: broker('1'), destination: broker('2'), change: 'none' },
    { title: 'leave a fixed entry', source: set('1'), destination: { ...set('2'), isFixed: true }, change: 'none' },
    { title: 'leave a sensitive entry', source: { ...set(null), isFixed: true }, destination: set('2'), change: 'none' }
  ]
  for (const { title, source, destination, change } of rows) {
    it(title, () => {
      const changes = configChanges(config({ entry: source }), config({ entry: destination }))
      assert.deepEqual(changes, change === 'none' ? [] : [{ name: 'entry', value: change }])
    })
  }

  it('neither set nor remove an excluded entry', () => {
    for (const name of EXCLUDED) {
      assert.deepEqual(configChanges(config({ [name]: set('1') }), config({ [name]: set('2') })), [], name)
      assert.deepEqual(configChanges(config({ [name]: unset('1') }), config({ [name]: set('2') })), [], name)
      const before = new Set([name])
      assert.deepEqual(configChanges(config({ [name]: broker('1') }), config({ [name]: set('2') }), before), [], name)
    }
  })

  it('leave out an entry that the destination does not know, which would make it refuse the others', () => {
    const source = config({ newer: set('1'), known: set('1') })
    assert.deepEqual(configChanges(source, config({ known: unset('2') })), [{ name: 'known', value: '1' }])
  })

  it('leave an entry that the source does not know', () => {
    assert.deepEqual(configChanges(config({}), config({ newer: set('1') })), [])
  })

  it('remove an entry that was set on the source topic, though its brokers have a setting of their own', () => {
    const before = new Set(['entry'])
    const removed = [{ name: 'entry', value: null }]
    assert.deepEqual(configChanges(config({ entry: broker('1') }), config({ entry: set('2') }), before), removed)
  })
})

function config(entries: Readonly<Record<string, ConfigEntry>>): TopicConfig {
  return new Map(Object.entries(entries))
}

function set(value: string | null): ConfigEntry {
  return { value, origin: 'topic', isFixed: false }
}

function broker(value: string): ConfigEntry {
  return { value, origin: 'broker', isFixed: false }
}

function unset(value: string): ConfigEntry {
  return { value, origin: 'default', isFixed: false }
}
