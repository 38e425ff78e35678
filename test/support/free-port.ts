import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** The only one of these that browsers and `fetch` ask nothing of (the Fetch standard's bad ports). */
const REFUSED_BY_FETCH = 10_080

/**
 * Ports that are free now. They are looked for below the range that the kernel takes for outgoing connections (from
 * 32768): a port that `listen(0)` gives can be taken by any client's connection while its broker is down, and then the
 * broker could not be restarted on it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  for (let attempt = 0; attempt < 1_000 && ports.size < count; attempt++) {
    const port = randomInt(10_000, 32_000)
    if (port !== REFUSED_BY_FETCH && (await isFree(port))) ports.add(port)
  }
  if (ports.size < count) throw new Error(`Found only ${ports.size} of ${count} free ports between 10000 and 32000`)
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
