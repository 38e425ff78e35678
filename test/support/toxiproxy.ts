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

/** One thing that is wrong with a connection; toxiproxy's own names and units (milliseconds, KB per second, bytes). */
export interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'slicer' | 'timeout' | 'reset_peer'
  /** `upstream`: what the client sends; `downstream`: what it is answered. */
  readonly stream: 'upstream' | 'downstream'
  readonly attributes: Readonly<Record<string, number>>
}

export interface ToxicProxy {
  /** Delays the bytes of each direction by half of this. 0 takes the delay away. */
  setRoundTrip(ms: number): Promise<void>
  /** Makes all connections as bad as these together, those that are open and those to come. */
  poison(...toxics: readonly Toxic[]): Promise<void>
  /** Ends all connections and takes no new ones. */
  cut(): Promise<void>
  /** Undoes everything above. */
  heal(): Promise<void>
}

const SERVER = join(PROJECT_DIR, '.tools/toxiproxy/server')

/** Starts toxiproxy, which `bin/setup test` installs. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  if (!existsSync(SERVER)) throw new Error(`There is no ${SERVER}: run bin/setup test, which builds it with Go`)
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
    const text = await response.text()
    if (!response.ok) throw new Error(`toxiproxy: ${method} ${path} answered ${response.status}: ${text}`)
    return text
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
        },
        async poison(...toxics) {
          for (const toxic of toxics) {
            await api('POST', `/proxies/${name}/toxics`, { ...toxic, name: `${toxic.type}-${toxic.stream}` })
          }
        },
        async cut() {
          await api('POST', `/proxies/${name}`, { enabled: false })
        },
        async heal() {
          const { toxics } = JSON.parse(await api('GET', `/proxies/${name}`)) as { toxics: { name: string }[] }
          for (const toxic of toxics) await api('DELETE', `/proxies/${name}/toxics/${toxic.name}`)
          await api('POST', `/proxies/${name}`, { enabled: true })
          isDelayed = false
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await server.stop(1_000)
    }
  }
}
