import { hostname } from 'node:os'
import { Registry } from 'prom-client'
import { LIBRDKAFKA_VERSION } from '../cluster/group-member.ts'
import type { Config } from '../config/types.ts'
import { VERSION } from '../config/version.ts'
import { type Page, startHttp } from '../observe/http.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetrics } from '../observe/metrics.ts'
import type { WorkerStatus } from '../observe/status.ts'
import { BackgroundVerifier } from './background-verifier.ts'
import { DataPlane } from './data-plane.ts'
import { FlowControl } from './flow-control.ts'
import { sayRefusalsOnce } from './refusals-once.ts'

/** Makes the page of a worker. */
export type OpenPage = (worker: { readonly clientId: string; status(): WorkerStatus }) => Page

/**
 * Runs every flow of the configuration until the signal says stop, then drains and commits.
 * @throws the error of a data-plane thread that ended by itself, or HttpListenError
 */
export async function runWorker(config: Config, stop: AbortSignal, openPage: OpenPage): Promise<void> {
  const logger = createLogger(config.log)
  const log = sayRefusalsOnce((level, message, fields) => logger[level](fields, message))
  const clientId = `farlog-${hostname()}-${process.pid}`
  const startedAt = new Date().toISOString()

  const registry = new Registry()
  const metrics = createMetrics(registry)
  metrics.setBuildInfo({ version: VERSION, node: process.version, librdkafka: LIBRDKAFKA_VERSION })

  const crashed = Promise.withResolvers<never>()
  const dataPlane = new DataPlane(
    config.threads,
    config.flows.length,
    clientId,
    log,
    report => flows[report.flow]?.receive(report),
    error => crashed.reject(error)
  )
  const flows = config.flows.map(
    (flow, index) =>
      new FlowControl({ index, flow, config, clientId, dataPlane, metrics, log, onMembershipEnded: crashed.reject })
  )
  const status = (): WorkerStatus => ({
    version: VERSION,
    startedAt,
    notReadyReason: flows.map(flow => flow.notReadyReason).find(reason => reason !== null) ?? null,
    flows: flows.map(flow => flow.status)
  })
  metrics.useStatus(status)
  const page = openPage({ clientId, status })
  const troubled = (message: string) => log('warn', message, {})
  const http = await startHttp({ ...config.http, troubled, status, live: () => dataPlane.live, registry, page })
  logger.info(
    {
      version: VERSION,
      httpPort: http.port,
      flows: config.flows.map(({ source, destination }) => `${source.alias}->${destination.alias}`)
    },
    'started'
  )
  for (const flow of flows) flow.start()
  const verifier =
    config.verifyBytesPerSecond === 0
      ? undefined
      : new BackgroundVerifier(
          config,
          clientId,
          flows.map(flow => flow.verification),
          log
        )

  const stopped = new Promise<void>(resolve => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    await Promise.race([stopped, crashed.promise])
    logger.info('stopping: draining and committing')
    verifier?.stop()
    await Promise.all(flows.map(flow => flow.stop()))
    await dataPlane.stop()
    logger.info('stopped')
  } finally {
    verifier?.stop()
    await http.close()
    await page.close()
  }
}
