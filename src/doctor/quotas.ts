import type { QuotaEntry } from '../cluster/cluster-questions.ts'

/**
 * The limits that hold for a worker, by Kafka's order of precedence: the user's before the default user's before those
 * of client ids alone (org.apache.kafka.server.quota, KIP-55). A worker's client id ends in its process id, so that of
 * client ids only the default can hold.
 * @param user `undefined` where it is not known: then only what holds for everybody counts
 */
export function quotasInForce(entries: readonly QuotaEntry[], user: string | undefined): Map<string, number> {
  const matching = entries
    .filter(entry => entry.clientId === null || entry.clientId === undefined)
    .filter(entry => entry.user === null || entry.user === undefined || entry.user === user)
    .toSorted((a, b) => rank(a) - rank(b))
  const inForce = new Map<string, number>()
  for (const { values } of matching) {
    for (const [key, value] of values) if (!inForce.has(key)) inForce.set(key, value)
  }
  return inForce
}

function rank({ user, clientId }: QuotaEntry): number {
  const byUser = typeof user === 'string' ? 0 : user === null ? 2 : 4
  return byUser + (clientId === null ? 0 : 1)
}
