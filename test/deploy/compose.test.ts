import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { PROJECT_DIR } from '../support/java.ts'

interface Service {
  readonly image?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly read_only?: boolean
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly stop_grace_period?: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
}

const compose = parse(readFileSync(join(PROJECT_DIR, 'compose.yaml'), 'utf8'), { merge: true }) as Compose
const { services } = compose

/** No engine runs it here: the file is judged by the schema of the Compose specification, and what it names is looked for. */
describe('compose.yaml', () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  const schema = JSON.parse(readFileSync(join(PROJECT_DIR, '.tools/deploy/compose-spec.json'), 'utf8')) as object
  const validate = ajv.compile(schema)

  it('is as the specification wants it', () => {
    assert.ok(validate(compose), JSON.stringify(validate.errors))
    const { farlog } = services
    assert.ok(!validate({ services: { ...services, farlog: { ...farlog, readonly: true } } }))
  })

  it('has two clusters, a worker, and what shows it', () => {
    const names = ['billing', 'east', 'farlog', 'grafana', 'orders', 'prometheus', 'west']
    assert.deepEqual(Object.keys(services).sort(), names)
  })

  it('gives the worker a configuration that it takes, of clusters that there are', () => {
    const { flows } = loadConfig(services.farlog!.environment ?? {})
    const sides = flows.flatMap(({ source, destination }) => [source, destination])
    assert.deepEqual(
      sides.map(({ alias, bootstrapServers: [server] }) => `${alias} ${server!.host}:${server!.port}`),
      ['east east:9092', 'west west:9092']
    )
    for (const { alias } of sides) {
      const listeners = services[alias]!.environment!.KAFKA_ADVERTISED_LISTENERS
      assert.match(listeners!, new RegExp(`INSIDE://${alias}:9092,`))
    }
  })

  it('makes two clusters of them, each with an id of its own', () => {
    const ids = ['east', 'west'].map(name => services[name]!.environment!.CLUSTER_ID ?? 'the id of the image')
    // 16 bytes, as Kafka's Uuid reads them.
    for (const id of ids) assert.match(id, /^[\w-]{21}[AQgw]$/)
    assert.notEqual(ids[0], ids[1])
  })

  it('has the Kafka that is tested', () => {
    const [, version] = /<kafka\.version>(.+)</.exec(read('test/support/kafka/pom.xml')) ?? []
    for (const name of ['east', 'west', 'orders', 'billing'])
      assert.equal(services[name]!.image, `apache/kafka:${version}`)
  })

  it('opens its ports to this machine alone, and gives the worker no more than it needs', () => {
    const ports = Object.values(services).flatMap(service => service.ports ?? [])
    assert.equal(ports.length, 5)
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/)
    assert.equal(services.farlog!.read_only, true)
    assert.deepEqual(services.farlog!.tmpfs, ['/tmp:size=64m'])
    assert.deepEqual(services.farlog!.cap_drop, ['ALL'])
  })

  it('waits for services that there are', () => {
    for (const service of Object.values(services)) {
      for (const name of Object.keys(service.depends_on ?? {})) assert.ok(name in services, name)
    }
  })

  it('mounts what is there', () => {
    const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes.map(volume => volume.split(':')[0]!))
    assert.equal(mounted.length, 3)
    for (const path of mounted) assert.ok(existsSync(join(PROJECT_DIR, path)), path)
    assert.match(read('deploy/prometheus/prometheus.yml'), /names: \[farlog\]/)
    assert.ok(existsSync(join(PROJECT_DIR, 'deploy/grafana/dashboards/farlog-overview.json')))
  })
})

function read(path: string): string {
  return readFileSync(join(PROJECT_DIR, path), 'utf8')
}
