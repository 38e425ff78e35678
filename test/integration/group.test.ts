import assert from 'node:assert/strict'
import { GroupMember } from '../../src/cluster/group-member.ts'
import { KafkaAdmin } from '../support/kafka-admin.ts'
import { startKafka } from '../support/kafka-cluster.ts'
import { itAtLength } from '../support/long.ts'
import { plainCluster } from '../support/plain-cluster.ts'

describe('membership in a group', function () {
  this.timeout(120_000)

  itAtLength('commits progress of more partitions than the coordinator would take at once', async () => {
    await using east = await startKafka({ name: 'east' })
    await using admin = new KafkaAdmin(east.bootstrap)
    // Of the longest name there may be: 4,000 such commits are more than a batch of the offsets topic can hold.
    const topic = 'wide'.padEnd(249, '-')
    const partitions = 4_000
    await admin.createTopic(topic, partitions, { 'segment.index.bytes': '65536' })
    const member = new GroupMember({
      cluster: plainCluster('east', east.bootstrap),
      groupId: 'wide',
      groupProtocol: 'classic',
      metadataRefreshMs: 5_000,
      clientId: 'test',
      listener: { assigned() {}, async revoked() {}, outdated() {}, troubled() {} }
    })
    await member.connect()
    try {
      const offsets = Array.from({ length: partitions }, (_, partition) => ({
        topic,
        partition,
        offset: partition * 7,
        metadata: `metadata of partition ${partition}`
      }))
      await member.commit(offsets)
      const committed = await member.committed(offsets.map(({ partition }) => ({ topic, partition })))
      assert.deepEqual(
        committed.toSorted((a, b) => a.partition - b.partition),
        offsets
      )
    } finally {
      await member.close()
    }
  })
})
