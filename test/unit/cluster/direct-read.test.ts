import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import fc from 'fast-check'
import { readDirectly } from '../../../src/cluster/direct-read.ts'

/** Both ends of a connection on this machine. */
interface Pair extends AsyncDisposable {
  readonly near: Socket
  readonly far: Socket
}

/** A key that both sides know, in place of certificates. */
const SHARED_KEY = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' as const }
const KINDS: readonly [name: string, open: () => Promise<Pair>][] = [
  ['a plain socket', () => pairOf(createServer(), 'connection', port => connect(port, '127.0.0.1'), 'connect')],
  [
    'a TLS socket',
    () =>
      pairOf(
        createTlsServer({ ...SHARED_KEY, pskCallback: () => Buffer.alloc(16, 'key') }),
        'secureConnection',
        port =>
          connectTls({
            ...SHARED_KEY,
            host: '127.0.0.1',
            port,
            checkServerIdentity: () => undefined,
            pskCallback: () => ({ psk: Buffer.alloc(16, 'key'), identity: 'farlog' })
          }),
        'secureConnect'
      )
  ]
]

const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200_000 })), {
  minLength: 1,
  maxLength: 8
})
const targets = fc.array(fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constantFrom(16_384, 65_536, 300_000)), {
  minLength: 1,
  maxLength: 5
})

describe('readDirectly', () => {
  for (const [name, open] of KINDS) {
    it(`has ${name} read into the memory that it is given, on this Node`, async () => {
      await using pair = await open()
      const memory = Buffer.alloc(64, '.')
      const arrived = Promise.withResolvers<Buffer>()
      const isDirect = readDirectly(
        pair.near,
        () => memory.subarray(10, 40),
        (bytes, target) => arrived.resolve(target.subarray(0, bytes))
      )
      assert.equal(isDirect, true)
      pair.near.on('data', () => assert.fail('nothing comes the usual way any more'))
      pair.far.write('these bytes')
      const filled = await arrived.promise
      assert.equal(filled.buffer, memory.buffer)
      assert.equal(filled.toString(), 'these bytes')
      assert.equal(memory.toString(), `${'.'.repeat(10)}these bytes${'.'.repeat(43)}`)
    })

    it(`brings all bytes of ${name} in order, whatever the sizes of what is sent and of where it goes`, async () => {
      await fc.assert(
        fc.asyncProperty(pieces, targets, async (pieceBytes, targetBytes) => {
          await using pair = await open()
          const sent = Buffer.concat(pieceBytes.map((bytes, i) => Buffer.alloc(bytes, `piece ${i} of ${bytes}, `)))
          const received: Buffer[] = []
          let missing = sent.length
          const done = Promise.withResolvers<void>()
          let asked = 0
          let last: Buffer | undefined
          readDirectly(
            pair.near,
            () => {
              last = Buffer.alloc(targetBytes[asked++ % targetBytes.length]!)
              return last
            },
            (bytes, target) => {
              assert.equal(target, last, 'the target asked for last is the one that is filled')
              received.push(target.subarray(0, bytes))
              missing -= bytes
              if (missing <= 0) done.resolve()
            }
          )
          let at = 0
          for (const bytes of pieceBytes) {
            const piece = sent.subarray(at, at + bytes)
            at += bytes
            await new Promise(resolve => pair.far.write(piece, resolve))
          }
          await done.promise
          assert.ok(Buffer.concat(received).equals(sent))
        }),
        { numRuns: 20 }
      )
    })

    it(`lets ${name} tell of its end as before`, async () => {
      await using pair = await open()
      const memory = Buffer.alloc(64)
      let received = ''
      readDirectly(
        pair.near,
        () => memory,
        (bytes, target) => {
          received += target.toString('latin1', 0, bytes)
        }
      )
      pair.far.end('the last bytes')
      await once(pair.near, 'close')
      assert.equal(received, 'the last bytes')
    })
  }

  const lacks: (readonly [what: string, takeAway: (socket: Socket) => void])[] = [
    ['the handle’s call', socket => Object.assign(handleOf(socket), { useUserBuffer: undefined })],
    ...['kBuffer', 'kBufferGen', 'kBufferCb'].map(
      name => [`the field ${name}`, (socket: Socket) => Reflect.deleteProperty(socket, fieldOf(socket, name))] as const
    )
  ]
  for (const [what, takeAway] of lacks) {
    it(`changes nothing where a Node lacks ${what}: the bytes come as data`, async () => {
      await using pair = await KINDS[0]![1]()
      takeAway(pair.near)
      const before = fieldsOf(pair.near)
      const notCalled = () => assert.fail('nothing is asked for')
      assert.equal(readDirectly(pair.near, notCalled, notCalled), false)
      assert.deepEqual(fieldsOf(pair.near), before)
      pair.far.write('these bytes')
      const [chunk] = (await once(pair.near, 'data')) as [Buffer]
      assert.equal(chunk.toString(), 'these bytes')
    })
  }

  it('does nothing with a socket that is not connected', () => {
    const notCalled = () => assert.fail('nothing is asked for')
    assert.equal(readDirectly(new Socket(), notCalled, notCalled), false)
  })
})

async function pairOf(
  server: ReturnType<typeof createServer>,
  accepted: string,
  dial: (port: number) => Socket,
  connected: string
): Promise<Pair> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepting = once(server, accepted)
  const near = dial((server.address() as AddressInfo).port)
  await once(near, connected)
  const [far] = (await accepting) as [Socket]
  return {
    near,
    far,
    [Symbol.asyncDispose]: async () => {
      near.destroy()
      far.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}

function handleOf(socket: Socket): object {
  return (socket as unknown as { _handle: object })._handle
}

function fieldOf(socket: Socket, name: string): symbol {
  const field = Object.getOwnPropertySymbols(socket).find(({ description }) => description === name)
  assert.ok(field !== undefined, `this Node has ${name}`)
  return field
}

/** What stands in the three fields that direct reading fills in. */
function fieldsOf(socket: Socket): unknown[] {
  const fields = socket as unknown as Record<symbol, unknown>
  return Object.getOwnPropertySymbols(socket)
    .filter(({ description }) => /^kBuffer/.test(description ?? ''))
    .map(symbol => [symbol.description, fields[symbol]])
}
