import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { BatchConnection } from '../../../src/cluster/batch-connection.ts'
import { FETCH } from '../../../src/cluster/fetch.ts'
import { PRODUCE } from '../../../src/cluster/produce.ts'
import { CountingPool } from '../records/support/counting-pool.ts'
import { answerFrame, FakeBroker, type ReceivedRequest } from './support/fake-broker.ts'
import { int32 } from './support/wire-bytes.ts'

describe('BatchConnection', () => {
  it('sends a request’s parts in one frame behind its header', async () => {
    const received = Promise.withResolvers<ReceivedRequest>()
    await using broker = await FakeBroker.listen((request, socket) => {
      received.resolve(request)
      socket.write(answerFrame(request.correlationId, Buffer.from('answer')))
    })
    const { connection, pool } = await connect(broker)
    const large = Buffer.alloc(3_000_000, 'batch')
    const parts = [Buffer.from('before'), large, Buffer.from('behind')]
    const answer = await connection.request(PRODUCE, parts)
    const { apiKey, apiVersion, clientId, body } = await received.promise
    assert.deepEqual([apiKey, apiVersion, clientId], [0, 9, 'test-клиент'])
    assert.ok(body.equals(Buffer.concat(parts)))
    assert.equal(answer.bytes.toString(), 'answer')
    assert.equal(pool.held, 1)
    answer.release()
    assert.equal(pool.held, 0)
    await connection.close()
  })

  it('gives each request its own answer, whatever the pieces in which the bytes arrive', async () => {
    const sizes = fc.array(fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 5_000 })), { minLength: 1, maxLength: 12 })
    const cuts = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(sizes, cuts, async (answerBytes, pieceBytes) => {
        const requests: ReceivedRequest[] = []
        await using broker = await FakeBroker.listen((request, socket) => {
          requests.push(request)
          if (requests.length < answerBytes.length) return
          const frames = requests.map((each, i) =>
            answerFrame(each.correlationId, Buffer.alloc(answerBytes[i]!, each.body))
          )
          void writeInPieces(socket, Buffer.concat(frames), pieceBytes)
        })
        const { connection, pool } = await connect(broker)
        const asked = answerBytes.map((_, i) => connection.request(FETCH, [Buffer.from(`request ${i}`)]))
        for (const [i, asking] of asked.entries()) {
          const answer = await asking
          assert.deepEqual(answer.bytes, Buffer.alloc(answerBytes[i]!, `request ${i}`))
          answer.release()
        }
        assert.equal(pool.held, 0)
        await connection.close()
      }),
      { numRuns: 40 }
    )
  })

  const nonsense: [what: string, code: string, act: (request: ReceivedRequest, socket: Socket) => void][] = [
    [
      'an answer that belongs to no request',
      'BAD_RESPONSE',
      ({ correlationId }, socket) => socket.write(answerFrame(correlationId + 7, Buffer.alloc(9)))
    ],
    ['a negative size', 'BAD_RESPONSE', (_request, socket) => socket.write(int32(-1))],
    [
      'a size below the header’s',
      'BAD_RESPONSE',
      (_request, socket) => socket.write(Buffer.concat([int32(4), int32(0)]))
    ],
    ['an absurd size', 'BAD_RESPONSE', (_request, socket) => socket.write(int32(2 ** 31 - 1))],
    ['a connection that ends', 'UNREACHABLE', (_request, socket) => socket.end()],
    [
      'a connection that ends within an answer',
      'UNREACHABLE',
      ({ correlationId }, socket) => socket.end(answerFrame(correlationId, Buffer.alloc(100)).subarray(0, 50))
    ]
  ]
  for (const [what, code, act] of nonsense) {
    it(`fails everything in flight, and gives the memory back, after ${what}`, async () => {
      await using broker = await FakeBroker.listen(act)
      const { connection, pool } = await connect(broker)
      const settled = await Promise.allSettled([1, 2, 3].map(() => connection.request(FETCH, [Buffer.from('request')])))
      for (const each of settled) {
        assert.equal(each.status, 'rejected')
        assert.deepEqual([each.reason.name, each.reason.code, each.reason.retriable], ['ClusterError', code, true])
      }
      assert.equal(connection.isOpen, false)
      assert.equal(pool.held, 0)
      await assert.rejects(connection.request(FETCH, []), { code })
    })
  }

  it('fails what is in flight when it is closed', async () => {
    await using broker = await FakeBroker.listen(() => {})
    const { connection } = await connect(broker)
    const rejected = assert.rejects(connection.request(FETCH, [Buffer.from('request')]), { code: 'UNREACHABLE' })
    await connection.close()
    await rejected
    assert.equal(connection.isOpen, false)
  })

  it('refuses a version that the broker does not speak, and stays open', async () => {
    await using broker = await FakeBroker.listen(({ correlationId }, socket) =>
      socket.write(answerFrame(correlationId, Buffer.alloc(1)))
    )
    const { connection } = await connect(broker)
    await assert.rejects(connection.request({ key: 1, version: 17 }, []), {
      code: 'UNSUPPORTED_VERSION',
      retriable: false,
      message: /speaks Fetch 0 to 13, but farlog needs version 17/
    })
    await assert.rejects(connection.request({ key: 75, version: 0 }, []), { code: 'UNSUPPORTED_VERSION' })
    const answer = await connection.request(FETCH, [])
    answer.release()
    await connection.close()
  })
})

async function connect(broker: FakeBroker): Promise<{ connection: BatchConnection; pool: CountingPool }> {
  const pool = new CountingPool()
  const connection = await BatchConnection.open(broker.config, '127.0.0.1', broker.port, 'test-клиент', pool, () => {})
  return { connection, pool }
}

async function writeInPieces(socket: Socket, bytes: Buffer, pieceBytes: readonly number[]): Promise<void> {
  let at = 0
  for (let piece = 0; at < bytes.length; piece++) {
    const end = at + pieceBytes[piece % pieceBytes.length]!
    // Written out before the next one, so that it arrives as a chunk of its own.
    await new Promise(resolve => socket.write(bytes.subarray(at, end), resolve))
    at = end
  }
}
