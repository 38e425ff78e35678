import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { ClusterConfig } from '../../../../src/config/types.ts'
import { plainCluster } from '../../../support/plain-cluster.ts'
import { compactArray, int16, int32, NO_TAGS } from './wire-bytes.ts'

/** A request as it came off the wire. */
export interface ReceivedRequest {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string
  readonly body: Buffer
}

const API_VERSIONS = 18
const SUPPORTED = [
  { key: 0, min: 0, max: 9 },
  { key: 1, min: 0, max: 13 },
  { key: API_VERSIONS, min: 0, max: 3 }
]

/** Listens as a broker would, says which versions it speaks, and leaves every other request to the test. */
export class FakeBroker implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** @param onRequest answers by writing frames to the socket */
  static async listen(onRequest: (request: ReceivedRequest, socket: Socket) => void): Promise<FakeBroker> {
    const broker = new FakeBroker(onRequest)
    broker.#server.listen(0, '127.0.0.1')
    await once(broker.#server, 'listening')
    return broker
  }

  private constructor(onRequest: (request: ReceivedRequest, socket: Socket) => void) {
    this.#server = createServer(socket => {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      let received: Buffer = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk])
        while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
          const end = 4 + received.readInt32BE(0)
          const request = requestIn(received.subarray(4, end))
          received = received.subarray(end)
          if (request.apiKey === API_VERSIONS) socket.write(versionsAnswer(request.correlationId))
          else onRequest(request, socket)
        }
      })
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get config(): ClusterConfig {
    return plainCluster('east', `127.0.0.1:${this.port}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** A frame with a flexible response header. */
export function answerFrame(correlationId: number, body: Buffer): Buffer {
  return Buffer.concat([int32(5 + body.length), int32(correlationId), NO_TAGS, body])
}

function versionsAnswer(correlationId: number): Buffer {
  const body = Buffer.concat([
    int16(0),
    compactArray(SUPPORTED, ({ key, min, max }) => [int16(key), int16(min), int16(max), NO_TAGS]),
    int32(0),
    NO_TAGS
  ])
  // The one response whose header is not flexible, so that every client can read it.
  return Buffer.concat([int32(4 + body.length), int32(correlationId), body])
}

function requestIn(frame: Buffer): ReceivedRequest {
  const clientIdBytes = frame.readInt16BE(8)
  return {
    apiKey: frame.readInt16BE(0),
    apiVersion: frame.readInt16BE(2),
    correlationId: frame.readInt32BE(4),
    clientId: frame.toString('utf8', 10, 10 + clientIdBytes),
    // Behind an empty tag buffer.
    body: frame.subarray(10 + clientIdBytes + 1)
  }
}
