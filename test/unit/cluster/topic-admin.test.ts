import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { TopicAdmin } from '../../../src/cluster/topic-admin.ts'
import { plainCluster } from '../../support/plain-cluster.ts'

describe('the admin of topics', () => {
  it('answers also while a file that its connections need cannot be read, and when it can be again', async () => {
    await using server = createServer(socket => socket.destroy())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    let isReadable = false
    const ca = () => {
      if (isReadable) return '-----BEGIN CERTIFICATE-----'
      throw new Error('the authorities cannot be read')
    }
    const tls = { ca, cert: undefined, key: undefined, keyPassphrase: undefined }
    const admin = new TopicAdmin({ ...plainCluster('west', `127.0.0.1:${port}`), securityProtocol: 'SSL', tls }, 'test')
    const ask = () => admin.describeConfigs(['orders'])
    for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(ask, /the authorities cannot be read/)
    isReadable = true
    // Bytes that are no certificate, and a server that speaks no TLS.
    for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(ask, { name: 'ClusterError' })
    await admin.close()
  })
})
