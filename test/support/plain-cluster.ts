import type { ClusterConfig } from '../../src/config/types.ts'

/** A cluster without TLS and SASL, as the tests' and the benchmark's own are. */
export function plainCluster(alias: string, bootstrap: string): ClusterConfig {
  const bootstrapServers = bootstrap.split(',').map(server => {
    const [host, port] = server.split(':')
    return { host: host!, port: Number(port) }
  })
  return { alias, bootstrapServers, securityProtocol: 'PLAINTEXT', tls: undefined, sasl: undefined }
}
