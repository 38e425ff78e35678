import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { openConnection } from '../../../src/cluster/connection.ts'
import { plainCluster } from '../../support/plain-cluster.ts'

describe('openConnection', () => {
  it('gives up a broker that stands still as soon as nobody wants it any more', async () => {
    await using server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const abort = new AbortController()
    const accepted = once(server, 'connection')
    const opening = openConnection(plainCluster('east', `127.0.0.1:${port}`), '127.0.0.1', port, 'test', abort)
    const [socket] = (await accepted) as [Socket]
    // It has asked for the versions, and nobody answers.
    await once(socket, 'data')
    const closed = once(socket, 'close')
    abort.abort()
    await assert.rejects(opening, /east broker 127\.0\.0\.1:\d+/)
    await closed
  })
})
