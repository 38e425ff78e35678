import assert from 'node:assert/strict'
import { GroupMember } from '../../../src/cluster/group-member.ts'
import { RecordProducer } from '../../../src/cluster/record-producer.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { environment, MountedFiles } from '../config/environment.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

describe('clients of librdkafka', () => {
  it('fail in a way that may pass where a file of theirs is gone for a moment', async () => {
    using files = new MountedFiles()
    const ca = files.write('ca.pem', PEM)
    const config = loadConfig(environment({ FARLOG_EAST_SECURITY_PROTOCOL: 'SSL', FARLOG_EAST_SSL_CA_FILE: ca }))
    const cluster = config.flows[0]!.source
    const listener = { assigned() {}, revoked: async () => {}, troubled() {}, outdated() {} }
    const options = { groupId: 'g', groupProtocol: 'classic', metadataRefreshMs: 1_000, clientId: 'test' } as const
    const newMember = () => new GroupMember({ cluster, listener, ...options })
    assert.doesNotThrow(newMember)
    files.remove('ca.pem')
    const failure = {
      name: 'ClusterError',
      code: 'AUTHENTICATION',
      retriable: true,
      message: /^east: FARLOG_EAST_SSL_CA_FILE: cannot read the file \(ENOENT/
    }
    assert.throws(newMember, failure)
    await assert.rejects(new RecordProducer(cluster, 'test').send('topic', 0, 'key', Buffer.alloc(0)), failure)
  })
})
