import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from './free-port.ts'
import { PROJECT_DIR } from './java.ts'
import { spawnOwned } from './owned-process.ts'
import { GiveUp, until } from './wait.ts'

/** A running toxiproxy, whose proxies make TCP connections as bad as one asks. `await using` ends it. */
export interface Toxiproxy extends AsyncDisposable {
  /** Puts a proxy before a port of this machine. */
  proxy(name: string, listenPort: number, upstreamPort: number): Promise<ToxicProxy>
}

export interface ToxicProxy {
  /** Delays the bytes of each direction by half of this. 0 takes the delay away. */
  setRoundTrip(ms: number): Promise<void>
}

const SERVER = join(PROJECT_DIR, '.tools/toxiproxy/server')

/** Starts toxiproxy, which `bin/setup bench` installs. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  if (!existsSync(SERVER)) throw new Error(`There is no ${SERVER}: run bin/setup bench, which builds it with Go`)
  const [port] = await freePorts(1)
  const server = spawnOwned([SERVER, '-host', '127.0.0.1', '-port', String(port)], {
    env: { LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit']
  })
  const api = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    if (!response.ok)
      throw new Error(`toxiproxy: ${method} ${path} answered ${response.status}: ${await response.text()}`)
  }
  await until(
    async () => {
      if (!server.isRunning()) throw new GiveUp('toxiproxy ended while it was starting')
      await api('GET', '/version')
      return true
    },
    { timeoutMs: 10_000, describe: 'toxiproxy to answer' }
  )
  return {
    async proxy(name, listenPort, upstreamPort) {
      const listen = `127.0.0.1:${listenPort}`
      await api('POST', '/proxies', { name, listen, upstream: `127.0.0.1:${upstreamPort}`, enabled: true })
      let isDelayed = false
      return {
        async setRoundTrip(ms) {
          for (const stream of ['upstream', 'downstream']) {
            if (isDelayed) await api('DELETE', `/proxies/${name}/toxics/${stream}`)
            if (ms === 0) continue
            const attributes = { latency: ms / 2, jitter: 0 }
            await api('POST', `/proxies/${name}/toxics`, { name: stream, type: 'latency', stream, attributes })
          }
          isDelayed = ms > 0
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await server.stop(1_000)
    }
  }
}
