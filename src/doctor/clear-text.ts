/** Credentials that whoever is on the way can read. Pure. */
import type { ClusterConfig, SaslMechanism } from '../config/types.ts'
import { clusterPrefix } from '../config/variables.ts'
import { Notes, type Tell } from './finding.ts'
import { LOOPBACK } from './loopback.ts'

/** SCRAM shows no more than a proof. */
const SHOWN: Partial<Record<SaslMechanism, string>> = { PLAIN: 'password', OAUTHBEARER: 'token' }

export function checkClearText({ alias, securityProtocol, sasl }: ClusterConfig, tell: Tell): void {
  if (sasl === undefined) return
  const notes = new Notes('connection', alias, tell)
  const prefix = clusterPrefix(alias)
  const { mechanism, oauth } = sasl
  const shown = SHOWN[mechanism]
  if (securityProtocol === 'SASL_PLAINTEXT' && shown !== undefined) {
    notes.warning(
      `the ${shown} can be read on the way to the brokers (${mechanism} without TLS)`,
      `set ${prefix}SECURITY_PROTOCOL to SASL_SSL where the network is not yours alone`
    )
  }
  if (oauth === undefined) return
  const { protocol, hostname } = new URL(oauth.tokenEndpoint)
  if (protocol === 'http:' && !LOOPBACK.test(hostname)) {
    notes.warning(
      'the client secret can be read on the way to the token endpoint (http)',
      `give its https address by ${prefix}OAUTH_TOKEN_ENDPOINT`
    )
  }
}
