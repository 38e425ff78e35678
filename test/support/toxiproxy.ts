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

/**
 * Toxics are put to a connection, and taken from it, when it lets its bytes go. The proxy waits for one whose other side
 * stands still, for ever where that has died meanwhile, and lets no new connection through.
 */
const ANSWER_TIMEOUT_MS = 15_000

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
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
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
      const make = () => api('POST', '/proxies', { name, listen, upstream: `127.0.0.1:${upstreamPort}`, enabled: true })
      const add = async (toxic: Toxic, named = `${toxic.type}-${toxic.stream}`) => {
        await api('POST', `/proxies/${name}/toxics`, { ...toxic, name: named })
      }
      /** Begins with another proxy, and so with new connections, where this one waits for the ones that there are. */
      const orAnew = async (doing: () => Promise<void>, onNew: () => Promise<void>) => {
        try {
          await doing()
        } catch (error) {
          if ((error as Error).name !== 'TimeoutError') throw error
          await api('DELETE', `/proxies/${name}`)
          await make()
          await onNew()
        }
      }
      await make()
      let isDelayed = false
      return {
        async setRoundTrip(ms) {
          for (const stream of ['upstream', 'downstream'] as const) {
            if (isDelayed) await api('DELETE', `/proxies/${name}/toxics/${stream}`)
            if (ms > 0) await add({ type: 'latency', stream, attributes: { latency: ms / 2, jitter: 0 } }, stream)
          }
          isDelayed = ms > 0
        },
        async poison(...toxics) {
          const addAll = async () => {
            for (const toxic of toxics) await add(toxic)
          }
          await orAnew(addAll, addAll)
        },
        async cut() {
          await api('POST', `/proxies/${name}`, { enabled: false })
        },
        async heal() {
          const removeAll = async () => {
            const { toxics } = JSON.parse(await api('GET', `/proxies/${name}`)) as { toxics: { name: string }[] }
            for (const toxic of toxics) await api('DELETE', `/proxies/${name}/toxics/${toxic.name}`)
            await api('POST', `/proxies/${name}`, { enabled: true })
          }
          await orAnew(removeAll, async () => {})
          isDelayed = false
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await server.stop(1_000)
    }
  }
}
