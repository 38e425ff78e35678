import assert from 'node:assert/strict'
import { RecordProducer } from '../../../src/cluster/record-producer.ts'
import { freePorts } from '../../support/free-port.ts'
import { plainCluster } from '../../support/plain-cluster.ts'

describe('a producer of single records', () => {
  it('says that it cannot connect, each time, and ends in order', async () => {
    const [port] = await freePorts(1)
    const producer = new RecordProducer(plainCluster('west', `127.0.0.1:${port}`), 'test', { connectTimeoutMs: 200 })
    const send = () => producer.send('events', 0, 'key', Buffer.from('value'))
    const refused = { name: 'ClusterError', message: /^west: connecting/, retriable: true }
    await assert.rejects(send, refused)
    await assert.rejects(send, refused)
    await producer.close()
  })
})
