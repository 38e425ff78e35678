import { Registry } from 'prom-client'
import type { ClusterConfig } from '../../../src/config/types.ts'
import { type HttpServer, startHttp } from '../../../src/observe/http.ts'
import type { FlowStatus, WorkerStatus } from '../../../src/observe/status.ts'
import type { GroupSeen } from '../../../src/page/group-look.ts'
import { WorkerPage } from '../../../src/page/worker-page.ts'
import { flowStatus, workerStatus } from '../../unit/observe/worker-status.ts'

export const THIS_WORKER = 'farlog-alpha-7'

/** The real page behind the real server, fed with what a test says a worker knows and the clusters tell. */
export class FedPage implements AsyncDisposable {
  status: WorkerStatus
  /** What a look at the group tells, by flow; where it throws, the look fails. Where there is none, this worker is alone. */
  looking: (() => GroupSeen)[] = []
  looks = 0
  readonly #page: WorkerPage
  #server: HttpServer | undefined

  constructor(flows: readonly FlowStatus[] = [flowStatus()]) {
    this.status = workerStatus({ flows, startedAt: new Date(Date.now() - 93_000_000).toISOString() })
    this.#page = new WorkerPage({
      config: {
        delayMs: 0,
        stallTimeoutMs: 60_000,
        flows: flows.map(({ source, destination, groupId }) => ({
          source: cluster(source),
          destination: cluster(destination),
          groupId
        }))
      },
      clientId: THIS_WORKER,
      status: () => this.status,
      newLooker: flow => {
        const index = this.status.flows.findIndex(({ groupId }) => groupId === flow.groupId)
        return {
          look: async () => {
            this.looks++
            return this.looking[index]?.() ?? alone(this.status.flows[index]!)
          },
          close: async () => {}
        }
      }
    })
  }

  get url(): string {
    if (this.#server === undefined) throw new Error('not started')
    return `http://127.0.0.1:${this.#server.port}`
  }

  /** @param port any free one unless said otherwise */
  async start(port = 0): Promise<this> {
    const live = () => ({ ok: true, reason: null })
    const shown = { status: () => this.status, live, registry: new Registry(), page: this.#page }
    this.#server = await startHttp({ host: '127.0.0.1', port, ...shown })
    return this
  }

  /** The worker is gone, as far as a browser can tell. */
  async stopAnswering(): Promise<void> {
    await this.#server?.close()
    this.#server = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAnswering()
    await this.#page.close()
  }
}

/** This worker is the only one. */
function alone({ partitions }: FlowStatus): GroupSeen {
  return { workers: [{ clientId: THIS_WORKER, host: '/10.4.1.17', partitions }], inCharge: THIS_WORKER, others: [] }
}

function cluster(alias: string): ClusterConfig {
  return { alias, bootstrapServers: [], securityProtocol: 'PLAINTEXT', tls: undefined, sasl: undefined }
}
