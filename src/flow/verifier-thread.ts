/** The entry of the thread that verifies in the background: its own connections, and its own processor time. */
import { parentPort, workerData } from 'node:worker_threads'
import { Cluster } from '../cluster/cluster.ts'
import { ClusterError } from '../cluster/errors.ts'
import { partitionKey } from '../cluster/offsets.ts'
import { loadConfig } from '../config/load.ts'
import type { FlowConfig } from '../config/types.ts'
import { BytePace } from '../verify/byte-pace.ts'
import { ContinuousVerifier } from '../verify/continuous.ts'
import { differenceLine } from '../verify/report-text.ts'
import { encodeVerified, type VerifiedPartition } from '../verify/verified-partition.ts'
import type { LogLevel } from './messages.ts'
import type { FromVerifier, ToVerifier } from './verifier-messages.ts'

if (parentPort === null) throw new Error('this file is the entry of a worker thread')
const port = parentPort
const { clientId } = workerData as { clientId: string }
// Read from the environment again, not handed over: secrets are functions, which no message can carry.
const config = loadConfig(process.env)
const pace = new BytePace(config.verifyBytesPerSecond)
const mirrored = config.flows.map(() => new Map<string, number>())
const remembering = new Map<number, PromiseWithResolvers<void>>()
let nextId = 0

port.on('message', (message: ToVerifier) => {
  switch (message.kind) {
    case 'watch':
      mirrored[message.flow] = new Map(message.partitions.map(each => [partitionKey(each), each.mirroredUpTo]))
      return
    case 'remembered':
      answered(message)
  }
})
await Promise.all(config.flows.map(verify))

/** For ever: the thread is ended from outside, for a worker that stops must not wait for it. */
async function verify(flow: FlowConfig, index: number): Promise<void> {
  const source = new Cluster(flow.source, clientId)
  const destination = new Cluster(flow.destination, clientId)
  const labels = { source: source.alias, destination: destination.alias }
  const log = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) =>
    post({ kind: 'log', level, message, fields: { ...labels, ...fields } })
  await new ContinuousVerifier({
    ...{ config, source, destination, pace, bytesPerSecond: config.verifyBytesPerSecond },
    only: undefined,
    verifiedBy: clientId,
    isRemembering: true,
    mirrored: () => mirrored[index],
    listener: {
      verified: ({ topic, partition }, sourceOffset) =>
        post({ kind: 'verified', flow: index, topic, partition, sourceOffset }),
      found: ({ topic, partition }, differences, first) => {
        post({ kind: 'found', flow: index, topic, partition, differences })
        log('error', 'verification found differences', {
          ...{ topic, partition, differences },
          first: first.map(difference => differenceLine(difference))
        })
      },
      read: () => {},
      remember: verified => remember(index, verified),
      troubled: (message, fields) => log('warn', message, fields)
    }
  }).run(new AbortController().signal)
}

function remember(flow: number, verified: VerifiedPartition): Promise<void> {
  const id = nextId++
  const answer = Promise.withResolvers<void>()
  remembering.set(id, answer)
  post({ kind: 'remember', flow, id, verified: encodeVerified(verified) })
  return answer.promise
}

function answered({ id, failure }: Extract<ToVerifier, { kind: 'remembered' }>): void {
  const waiting = remembering.get(id)
  remembering.delete(id)
  if (failure === undefined) waiting?.resolve()
  else waiting?.reject(new ClusterError(failure.code, failure.message, true))
}

function post(message: FromVerifier): void {
  port.postMessage(message)
}
