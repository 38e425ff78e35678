/** Where one broker of a test cluster lives. */
export interface BrokerPlace {
  readonly nodeId: number
  readonly port: number
  readonly controllerPort: number
  readonly dataDir: string
  /** A second listener, whose clients are sent to a proxy. */
  readonly behindProxy?: ProxiedListener
  /** A second listener, whose clients have to say who they are. */
  readonly authenticated?: AuthenticatedListener
  /** Listeners of any other kind. */
  readonly secured?: readonly (SecuredListener & { readonly port: number })[]
}

/** A listener that wants more of its clients, each by its own `listener.name.` configuration. */
export interface SecuredListener {
  /** In capitals; also what tests ask its address by. */
  readonly name: string
  readonly protocol: 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'
  /** What follows `listener.name.<name>.` */
  readonly config: Readonly<Record<string, string>>
}

/** A listener for SASL/PLAIN. Whoever comes by the other one is a super user, the tests themselves above all. */
export interface AuthenticatedListener {
  readonly port: number
  /** Password by user name. */
  readonly users: Readonly<Record<string, string>>
}

/** A listener that a proxy stands in front of: clients that come through it are told its port, and stay behind it. */
export interface ProxiedListener {
  readonly listenPort: number
  readonly proxyPort: number
}

/** A broker's server.properties: KRaft combined mode, everything on the loopback, small and quick. */
export function brokerProperties(
  place: BrokerPlace,
  cluster: readonly BrokerPlace[],
  overrides: Readonly<Record<string, string>>
): Record<string, string> {
  const replicas = String(Math.min(3, cluster.length))
  const { behindProxy, authenticated, secured = [] } = place
  const minInSync = cluster.length >= 3 ? '2' : '1'
  return {
    'process.roles': 'broker,controller',
    'node.id': String(place.nodeId),
    'controller.quorum.voters': cluster.map(other => `${other.nodeId}@127.0.0.1:${other.controllerPort}`).join(','),
    listeners: [
      `PLAINTEXT://127.0.0.1:${place.port}`,
      `CONTROLLER://127.0.0.1:${place.controllerPort}`,
      ...(behindProxy ? [`PROXIED://127.0.0.1:${behindProxy.listenPort}`] : []),
      ...(authenticated ? [`SASL_PLAINTEXT://127.0.0.1:${authenticated.port}`] : []),
      ...secured.map(({ name, port }) => `${name}://127.0.0.1:${port}`)
    ].join(),
    'advertised.listeners': [
      `PLAINTEXT://127.0.0.1:${place.port}`,
      ...(behindProxy ? [`PROXIED://127.0.0.1:${behindProxy.proxyPort}`] : []),
      ...(authenticated ? [`SASL_PLAINTEXT://127.0.0.1:${authenticated.port}`] : []),
      // By name: the certificate is checked against it.
      ...secured.map(({ name, port }) => `${name}://localhost:${port}`)
    ].join(),
    'listener.security.protocol.map': [
      'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
      ...secured.map(({ name, protocol }) => `${name}:${protocol}`)
    ].join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': place.dataDir,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'transaction.state.log.num.partitions': '5',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    'share.coordinator.state.topic.num.partitions': '1',
    // A killed broker is missed, and may come back, after this time; the default is 9 s.
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '1000',
    // Something is written to the metadata twice a second otherwise, which is half of what an idle broker does.
    'metadata.max.idle.interval.ms': '10000',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // The default of 128 MB would fill a quarter of the heap.
    'log.cleaner.dedupe.buffer.size': '8388608',
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...(authenticated ? authorization(authenticated) : {}),
    ...Object.assign({}, ...secured.map(listenerProperties)),
    ...overrides
  }
}

/** Nothing is allowed but what an ACL allows. */
function authorization({ users }: AuthenticatedListener): Record<string, string> {
  const entries = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`)
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required${entries.join('')};`
  }
}

function listenerProperties({ name, config }: SecuredListener): Record<string, string> {
  const prefix = `listener.name.${name.toLowerCase()}.`
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [prefix + key, value]))
}

/** Java's properties format, for names and values without anything to escape. */
export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
