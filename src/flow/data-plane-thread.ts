/** The entry of a data-plane thread: every flow's partitions that were given to it, and nothing of the control plane. */
import { parentPort, workerData } from 'node:worker_threads'
import { loadConfig } from '../config/load.ts'
import { redactSecrets, withoutSecrets } from '../config/secret-values.ts'
import { FlowMirror } from './flow-mirror.ts'
import type { DataPlaneData, FromThread, LogLevel, ToThread } from './messages.ts'

/** How often the main thread hears of progress. */
const REPORT_INTERVAL_MS = 250

if (parentPort === null) throw new Error('this file is the entry of a worker thread')
const port = parentPort
// The main thread prints it, and does not know the tokens that only this one was given.
process.on('uncaughtException', error => {
  throw withoutSecrets(error)
})
const { clientId, budgets } = workerData as DataPlaneData
// Read from the environment again, not handed over: secrets are functions, which no message can carry.
const config = loadConfig(process.env)
const log = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) =>
  post({ kind: 'log', level, message: redactSecrets(message), fields: redactTexts(fields) })
const flows = config.flows.map((_, index) => newFlow(index))
const reporting = setInterval(report, REPORT_INTERVAL_MS)

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'assign':
      void flows[message.flow]!.assign(message.assignments)
      return
    case 'release':
      void release(message)
      return
    case 'resume':
      flows[message.flow]!.resume(message.partition, message.progress)
      return
    case 'order':
      flows[message.flow]!.order(message.order)
      return
    case 'batch-limit':
      flows[message.flow]!.setBatchLimit(message.destinationTopic, message.bytes)
      return
    case 'stop':
      void stop()
  }
})

function newFlow(index: number): FlowMirror {
  const onStall = {
    restart: () => void restart(index),
    giveUp: (detail: string) => post({ kind: 'stalled', detail })
  }
  return new FlowMirror(index, config.flows[index]!, config, clientId, budgets[index]!, onStall, log)
}

/** Begins a flow anew, with nothing of the old one but where its partitions are. */
async function restart(index: number): Promise<void> {
  const stuck = flows[index]!
  const successor = newFlow(index)
  successor.inherit(stuck)
  flows[index] = successor
  await stuck.close()
}

async function release({ flow, id, partitions, drainMs }: Extract<ToThread, { kind: 'release' }>): Promise<void> {
  const progress = await flows[flow]!.release(partitions, drainMs)
  report()
  post({ kind: 'released', flow, id, progress })
}

async function stop(): Promise<void> {
  clearInterval(reporting)
  await Promise.all(flows.map(flow => flow.close()))
  report()
  port.close()
}

function report(): void {
  post({ kind: 'report', flows: flows.map(flow => flow.takeReport()) })
}

function redactTexts(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? redactSecrets(value) : value])
  )
}

function post(message: FromThread): void {
  port.postMessage(message)
}
