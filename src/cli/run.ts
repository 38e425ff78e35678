import { loadConfig } from '../config/load.ts'
import { runWorker } from '../flow/worker.ts'
import { ClusterLooker } from '../page/group-look.ts'
import { WorkerPage } from '../page/worker-page.ts'
import { defineCommand, EXIT } from './command.ts'
import { describeFailure } from './failure.ts'

export const command = defineCommand({
  name: 'run',
  summary: 'Mirror topics until stopped: the worker.',
  help: `Takes its whole configuration from environment variables: see 'farlog config'.
Serves /metrics, /livez, /readyz, /api/status and a page for people on FARLOG_HTTP_PORT.
SIGTERM and SIGINT drain what is in flight, commit progress, and end with exit code 0.

Example:
  FARLOG_SOURCE=east FARLOG_DESTINATIONS=west \\
  FARLOG_EAST_BOOTSTRAP_SERVERS=east-1:9092 FARLOG_WEST_BOOTSTRAP_SERVERS=west-1:9092 \\
  farlog run`,

  options: {},

  async run(_, env) {
    const config = loadConfig(env)
    const stop = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
    try {
      await runWorker(
        config,
        stop.signal,
        worker =>
          new WorkerPage({
            ...{ config, ...worker },
            newLooker: flow => new ClusterLooker(config, flow, `${worker.clientId}-page`)
          })
      )
      // All is committed; what may still be open is librdkafka's farewell to a coordinator that does not answer.
      process.exit(EXIT.ok)
    } catch (error) {
      // A part of the worker is dead and the others would keep the process alive: only a new process mirrors again.
      const { exitCode, lines } = describeFailure(error, 'farlog run', env)
      process.stderr.write(`${lines.join('\n')}\n`)
      process.exit(exitCode)
    }
  }
})
