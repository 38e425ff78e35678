/** A thread that has undecodable bytes refused again and again, and looks at what is left afterwards. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Codec, decompress } from '../../../../src/records/codecs.ts'

export interface UndecodableResult {
  readonly refused: number
  /** Why decodable bytes do not decode any more; `null` where they do. */
  readonly error: string | null
  /** Memory outside of the JavaScript heap, compared to after the first refusal. */
  readonly grownBytes: number
}

const { codec, whole, undecodable, times } = workerData as {
  codec: Codec
  whole: Uint8Array
  undecodable: Uint8Array
  times: number
}
const cut = Buffer.from(undecodable)
let refused = refuse()
const before = process.memoryUsage().external
while (refused < times) refused += refuse()
const grownBytes = process.memoryUsage().external - before
let error: string | null = null
try {
  decompress(codec, Buffer.from(whole))
} catch (thrown) {
  error = String(thrown)
}
const result: UndecodableResult = { refused, error, grownBytes }
parentPort?.postMessage(result)

function refuse(): number {
  try {
    decompress(codec, cut)
  } catch {
    return 1
  }
  throw new Error('undecodable bytes were decoded')
}
