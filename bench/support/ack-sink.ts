/**
 * A destination that only acknowledges: a proxy before a real broker that answers Produce requests itself, at once and
 * without keeping anything, and hands on whatever else is asked. Every batch gets the offset that is next in its
 * partition.
 */
import { connect, createServer, type Socket } from 'node:net'
import { partitionKey } from '../../src/cluster/offsets.ts'
import { PRODUCE } from '../../src/cluster/produce.ts'
import { WireReader, WireWriter } from '../../src/cluster/wire.ts'
import { OFFSET_RECORD_COUNT } from '../../src/records/batch.ts'

/** `await using` closes it. */
export interface AckSink extends AsyncDisposable {
  /** Acknowledged so far. */
  readonly records: number
}

const SIZE_BYTES = 4

/** @param brokerPort a listener of the broker that sends its clients to `listenPort` */
export async function startAckSink(listenPort: number, brokerPort: number): Promise<AckSink> {
  let records = 0
  const nextOffsets = new Map<string, number>()
  const sockets = new Set<Socket>()
  const accept = (topic: string, partition: number, count: number): number => {
    const key = partitionKey({ topic, partition })
    const offset = nextOffsets.get(key) ?? 0
    nextOffsets.set(key, offset + count)
    records += count
    return offset
  }
  const server = createServer({ noDelay: true }, client => {
    const broker = connect({ port: brokerPort, host: '127.0.0.1', noDelay: true })
    for (const [socket, other] of [
      [client, broker],
      [broker, client]
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    broker.on('data', (chunk: Buffer) => client.write(chunk))
    const frames = new Frames()
    client.on('data', (chunk: Buffer) => {
      for (const frame of frames.add(chunk)) {
        if (frame.readInt16BE(SIZE_BYTES) === PRODUCE.key) client.write(answerTo(frame, accept))
        else broker.write(frame)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(listenPort, '127.0.0.1', resolve))
  return {
    get records() {
      return records
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

/** Cuts a stream into requests, each with its size in front. */
class Frames {
  #chunks: Buffer[] = []
  #bytes = 0

  add(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    const whole: Buffer[] = []
    for (;;) {
      const size = this.#nextSize()
      if (this.#bytes < size) return whole
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      whole.push(all.subarray(0, size))
      this.#chunks = all.length > size ? [all.subarray(size)] : []
      this.#bytes -= size
    }
  }

  #nextSize(): number {
    if (this.#bytes < SIZE_BYTES) return Number.POSITIVE_INFINITY
    if (this.#chunks[0]!.length < SIZE_BYTES) this.#chunks = [Buffer.concat(this.#chunks)]
    return SIZE_BYTES + this.#chunks[0]!.readInt32BE(0)
  }
}

function answerTo(request: Buffer, accept: (topic: string, partition: number, records: number) => number): Buffer {
  const CORRELATION_ID = SIZE_BYTES + 4
  const clientIdLength = request.readInt16BE(CORRELATION_ID + 4)
  const reader = new WireReader(request.subarray(CORRELATION_ID + 6 + Math.max(clientIdLength, 0)))
  reader.tags()
  reader.compactString()
  reader.int16()
  reader.int32()
  const writer = new WireWriter().int32(0).int32(request.readInt32BE(CORRELATION_ID)).noTags()
  const topics = reader.compactArrayLength()
  writer.compactArrayLength(topics)
  for (let t = 0; t < topics; t++) {
    const topic = reader.compactString()!
    const partitions = reader.compactArrayLength()
    writer.compactString(topic).compactArrayLength(partitions)
    for (let p = 0; p < partitions; p++) {
      const partition = reader.int32()
      const batch = reader.compactBytes()
      reader.tags()
      const baseOffset = accept(topic, partition, batch.readInt32BE(OFFSET_RECORD_COUNT))
      writer.int32(partition).int16(0).int64(baseOffset).int64(-1).int64(0)
      writer.compactArrayLength(0).compactString(null).noTags()
    }
    reader.tags()
    writer.noTags()
  }
  const answer = writer.int32(0).noTags().take()
  answer.writeInt32BE(answer.length - SIZE_BYTES, 0)
  return answer
}
