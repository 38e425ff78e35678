import { freePorts } from '../../support/free-port.ts'
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../../support/toxiproxy.ts'
import { Bed } from './bed.ts'

/** Two clusters of one broker each, with a proxy in front of either that only the worker passes through. */
export interface ProxiedBed extends AsyncDisposable {
  readonly bed: Bed
  readonly eastProxy: ToxicProxy
  readonly westProxy: ToxicProxy
  /** What leads a worker through the proxies. */
  readonly env: Readonly<Record<string, string>>
}

export async function startProxiedBed(): Promise<ProxiedBed> {
  const [eastListen, eastProxyPort, westListen, westProxyPort] = (await freePorts(4)) as [
    number,
    number,
    number,
    number
  ]
  const toxiproxy: Toxiproxy = await startToxiproxy()
  const bed = await Bed.start({
    east: { behindProxy: { listenPort: eastListen, proxyPort: eastProxyPort } },
    west: { behindProxy: { listenPort: westListen, proxyPort: westProxyPort } }
  })
  return {
    bed,
    eastProxy: await toxiproxy.proxy('east', eastProxyPort, eastListen),
    westProxy: await toxiproxy.proxy('west', westProxyPort, westListen),
    env: {
      FARLOG_EAST_BOOTSTRAP_SERVERS: `127.0.0.1:${eastProxyPort}`,
      FARLOG_WEST_BOOTSTRAP_SERVERS: `127.0.0.1:${westProxyPort}`
    },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await toxiproxy[Symbol.asyncDispose]()
    }
  }
}
