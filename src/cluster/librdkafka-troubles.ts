/**
 * What a client of librdkafka's fails at, in one piece. It comes in several: a line in its log says what exactly went wrong, the event
 * after that only its kind, and where there is no token an error of kafka-javascript's tells why. All of it is tried again.
 */
import type { ClusterConfig } from '../config/types.ts'
import type { ClusterError } from './errors.ts'
import type { KeptSecrets } from './kept-secrets.ts'
import { AUTHENTICATION_FAILURE, connectionError, librdkafkaTrouble } from './refusal.ts'

/** One of librdkafka's events, of which kafka-javascript passes on only the text. */
const ALL_BROKERS_DOWN = 'all broker connections are down'

/** A client, and whom it talks to. */
export interface HeardClient {
  readonly client: object
  readonly secrets: KeptSecrets
  readonly cluster: ClusterConfig
  /** What it does there. */
  readonly context: string
}

export interface TroubleListener {
  troubled(trouble: ClusterError): void
  /** Something went wrong, told or not: it may be that secrets have changed. */
  failed?(): void
}

/** Has the listener hear of everything; a token that was refused is replaced. */
export function hearTroubles({ client, secrets, cluster, context }: HeardClient, listener: TroubleListener): void {
  const emitter = client as NodeJS.EventEmitter
  // It is not said again as long as it is the same.
  let logged = ''
  const tokenFailed = (error: Error) =>
    listener.troubled(connectionError(error, `${cluster.alias} ${context}`, cluster))
  emitter.on('event.log', ({ message }: { message: string }) => {
    logged = message
  })
  emitter.on('event.error', ({ message: event }: Error) => {
    const isRefused = event === AUTHENTICATION_FAILURE
    // Of each broker, and of the token, it has been said why.
    if (event !== ALL_BROKERS_DOWN && !(isRefused && secrets.isTokenMissing)) {
      listener.troubled(librdkafkaTrouble(event, logged, context, cluster))
      if (isRefused) secrets.refused(client).catch(tokenFailed)
    }
    listener.failed?.()
  })
  // Where there is no token; without a listener it would end the process.
  emitter.on('error', tokenFailed)
}
