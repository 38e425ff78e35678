import kafka from '@confluentinc/kafka-javascript'
import type { ClusterConfig } from '../config/types.ts'
import { type ClusterError, librdkafkaError } from './errors.ts'
import { readSecurity } from './kept-secrets.ts'
import { hearTroubles } from './librdkafka-troubles.ts'

const CONNECT_TIMEOUT_MS = 5_000
const POLL_INTERVAL_MS = 50
const CLOSE_TIMEOUT_MS = 2_000
const CONTEXT = 'group membership'

/**
 * Connects as group membership does, by librdkafka, which verifies by itself and trusts other authorities where none is
 * configured. As a producer that never writes: a member would have Kafka make its topic of offsets.
 * @throws ClusterError with the reason where it does not get in
 */
export async function tryControlPlaneLogin(cluster: ClusterConfig, clientId: string): Promise<void> {
  const { options, secrets } = readSecurity(cluster)
  const client = new kafka.Producer({ ...options, 'client.id': clientId } as kafka.ProducerGlobalConfig, {})
  let trouble: ClusterError | undefined
  hearTroubles(
    { client, secrets, cluster, context: CONTEXT },
    {
      troubled: next => {
        // A refusal tells more than that there is no connection.
        if (trouble === undefined || (next.code === 'AUTHENTICATION' && trouble.code !== next.code)) trouble = next
      }
    }
  )
  // Why it gets nowhere comes out of the poll alone.
  const polling = setInterval(() => client.isConnected() && client.poll(), POLL_INTERVAL_MS)
  await new Promise<void>((resolve, reject) => {
    client.connect({ timeout: CONNECT_TIMEOUT_MS, allTopics: false }, error =>
      error ? reject(trouble ?? librdkafkaError(error, `${cluster.alias}: ${CONTEXT}`)) : resolve()
    )
  }).finally(() => clearInterval(polling))
  await new Promise<void>(resolve => client.disconnect(CLOSE_TIMEOUT_MS, () => resolve()))
}
