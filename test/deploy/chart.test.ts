import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/types.ts'
import { FIXED, type Variable } from '../../src/config/variables.ts'
import { type AlertingRule, type RecordingRule, readRules } from '../monitoring/support/rules.ts'
import { runToEnd } from '../support/run-to-end.ts'
import { CHART_DIR, KUBERNETES_VERSIONS, notes, render, runHelm, situationOf, VALUES_FILES } from './helm.ts'
import { KubernetesSchema } from './kubernetes-schema.ts'
import { type Manifest, theOnly } from './manifest.ts'
import { policyViolations } from './policy.ts'

const MINIMAL = join(CHART_DIR, 'ci/minimal-values.yaml')
const schemas = new Map<string, KubernetesSchema>()

describe('the chart', function () {
  this.timeout(60_000)

  it('has values for a small, an encrypted, an authenticated, a large and a branching installation', () => {
    assert.deepEqual(VALUES_FILES.map(situationOf), ['large', 'minimal', 'mutual-tls', 'sasl', 'two-flows'])
  })

  for (const values of VALUES_FILES) {
    const situation = situationOf(values)

    it(`pleases helm lint, three versions of Kubernetes and the policy: ${situation}`, async () => {
      const { code, stdout, stderr } = await runHelm('lint', { values })
      assert.equal(code, 0, stdout + stderr)
      for (const kubernetes of KUBERNETES_VERSIONS) {
        const manifests = await render({ values, kubernetes })
        assert.ok(manifests.length >= 5, `only ${manifests.length} manifests`)
        assert.deepEqual(problems(manifests, kubernetes), [], kubernetes)
        assert.deepEqual(policyViolations(manifests), [])
      }
    })

    it(`gives the worker a configuration that it takes: ${situation}`, async () => {
      const config = configOf(await render({ values }))
      assert.equal(config.http.port, 9464)
      assert.equal(config.groupInstanceId, situation === 'two-flows' ? undefined : 'farlog-0')
      assert.deepEqual(flowsOf(config), FLOWS[situation as keyof typeof FLOWS])
    })
  }

  it('takes the values that docs/kubernetes.md shows', async () => {
    const page = readFileSync(join(CHART_DIR, '../../../docs/kubernetes.md'), 'utf8')
    const folder = mkdtempSync(join(tmpdir(), 'farlog-values-'))
    try {
      const values = join(folder, 'values.yaml')
      writeFileSync(values, /^```yaml\n(.*?)^```$/ms.exec(page)![1]!)
      const manifests = await render({ values })
      assert.deepEqual(problems(manifests, '1.37.0'), [])
      assert.deepEqual(flowsOf(configOf(manifests)), ['east SASL_SSL SCRAM-SHA-512 → west SASL_SSL SCRAM-SHA-512'])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('gives a worker what docs/sizing.md says', async () => {
    const page = readFileSync(join(CHART_DIR, '../../../docs/sizing.md'), 'utf8')
    const { requests, limits } = podOf(await render({ values: MINIMAL })).containers[0].resources
    const [, cores, coresMax, gibibytes] = /requests (\d+) core, may use (\d+), and has (\d+) GiB/.exec(page) ?? []
    assert.deepEqual(
      { requests, limits },
      {
        requests: { cpu: cores, memory: `${gibibytes}Gi` },
        limits: { cpu: coresMax, memory: `${gibibytes}Gi` }
      }
    )
  })

  it('mounts secrets and puts none into a variable', async () => {
    const pod = podOf(await render({ values: join(CHART_DIR, 'ci/sasl-values.yaml') }))
    const variables = pod.containers[0].env as { name: string; value?: string }[]
    const isSecret = ({ name }: { name: string }) => /PASSWORD|USERNAME|CLIENT_ID|CLIENT_SECRET|PASSPHRASE/.test(name)
    assert.equal(variables.filter(isSecret).length, 4)
    for (const { name, value } of variables.filter(isSecret)) {
      assert.match(name, /_FILE$/)
      assert.match(value!, /^\/etc\/farlog\//)
    }
  })

  it('leaves the number of workers to an autoscaler where there is one, and to nobody else', async () => {
    for (const [situation, kind] of Object.entries({ large: 'ScaledObject', 'two-flows': 'HorizontalPodAutoscaler' })) {
      const manifests = await render({ values: join(CHART_DIR, `ci/${situation}-values.yaml`) })
      assert.equal(theOnly('StatefulSet', manifests).spec.replicas, undefined)
      assert.equal(theOnly(kind, manifests).spec.scaleTargetRef.name, theOnly('StatefulSet', manifests).metadata.name)
    }
    assert.equal(theOnly('StatefulSet', await render({ values: MINIMAL })).spec.replicas, 3)
  })

  describe('has as its rules', () => {
    const rulesWith = async (prometheusRule: object) => {
      const set = [`prometheusRule=${JSON.stringify({ enabled: true, ...prometheusRule })}`]
      const { groups } = theOnly('PrometheusRule', await render({ values: MINIMAL, set })).spec
      return groups.flatMap(({ rules }: { rules: object[] }) => rules) as (RecordingRule & AlertingRule)[]
    }
    const { records, alerts } = readRules()
    const names = (rules: readonly { record?: string; alert?: string }[]) =>
      rules.map(({ record, alert }) => record ?? alert)

    it('those that are shipped, where nothing else is said', async () => {
      assert.deepEqual(await rulesWith({}), [...records, ...alerts])
    })

    it('objectives as they are wanted, for all flows or for each', async () => {
      const own =
        '(3720 + 0 * flow:farlog_workers:count{destination="delayed"}) or (30 + 0 * flow:farlog_workers:count)'
      const objectives = { loss_exposure_seconds: own, retention_margin_seconds: 86_400, retries: 0.5 }
      const rules = await rulesWith({ objectives })
      assert.deepEqual(names(rules), names([...records, ...alerts]))
      const changed = rules.filter(({ record, expr }) =>
        records.some(rule => rule.record === record && rule.expr !== expr)
      )
      assert.deepEqual(Object.fromEntries(changed.map(({ record, expr }) => [record, expr])), {
        'flow:farlog_loss_exposure_seconds:objective': own,
        'flow:farlog_retention_margin_seconds:objective': '86400 + 0 * flow:farlog_workers:count',
        'flow:farlog_retries:objective': '0.5 + 0 * flow:farlog_workers:count'
      })
    })

    it('an objective for each name that the values may have', () => {
      const { properties } = JSON.parse(readFileSync(join(CHART_DIR, 'values.schema.json'), 'utf8'))
      const named = (properties.prometheusRule.properties.objectives.propertyNames.enum as string[]).map(
        name => `flow:farlog_${name}:objective`
      )
      assert.deepEqual(
        named.toSorted(),
        names(records)
          .filter(name => name!.endsWith(':objective'))
          .toSorted()
      )
    })

    it('no alert that is not wanted, and links to where the pages are kept', async () => {
      const disabled = ['FarlogHeartbeatMissing', 'FarlogWorkersFewer']
      const rules = await rulesWith({ disabled, runbookUrlPrefix: 'https://git.example.com/farlog/' })
      const wanted = names([...records, ...alerts]).filter(name => !disabled.includes(name!))
      assert.deepEqual(names(rules), wanted)
      for (const { alert, annotations } of rules.filter(rule => rule.alert !== undefined)) {
        const url = `https://git.example.com/farlog/docs/alerts.md#${alert.toLowerCase()}`
        assert.equal(annotations.runbook_url, url)
      }
    })
  })

  it('scales by lag that more workers can take on, and by no other installation’s', async () => {
    const manifests = await render({ values: join(CHART_DIR, 'ci/large-values.yaml') })
    const { name } = theOnly('StatefulSet', manifests).metadata
    const { query } = theOnly('ScaledObject', manifests).spec.triggers[0].metadata
    const series = (pod: string, topic: string, lag: number, state: string, place = 'replication') => {
      const labels = `namespace="${place}", pod="${pod}", source="east", destination="west", topic="${topic}", partition="0"`
      return [
        { series: `farlog_lag_records{${labels}}`, values: `${lag}x4` },
        ...['fencing', 'mirroring', 'halted'].map(each => ({
          series: `farlog_partition_state{${labels}, state="${each}"}`,
          values: `${each === state ? 1 : 0}x4`
        }))
      ]
    }
    const folder = mkdtempSync(join(tmpdir(), 'farlog-query-'))
    try {
      const file = join(folder, 'query.yaml')
      const input_series = [
        ...series(`${name}-0`, 'orders', 1_000, 'mirroring'),
        ...series(`${name}-12`, 'payments', 200, 'mirroring'),
        ...series(`${name}-0`, 'halted', 10_000, 'halted'),
        ...series(`${name}-back-0`, 'orders', 20_000, 'mirroring'),
        ...series(`${name}-0`, 'elsewhere', 40_000, 'mirroring', 'staging')
      ]
      const expected = { expr: query, eval_time: '1m', exp_samples: [{ labels: '{}', value: 1_200 }] }
      writeFileSync(file, JSON.stringify({ tests: [{ interval: '15s', input_series, promql_expr_test: [expected] }] }))
      await runToEnd(['promtool', 'test', 'rules', file])
    } finally {
      rmSync(folder, { recursive: true })
    }
    const external = theOnly(
      'HorizontalPodAutoscaler',
      await render({ values: join(CHART_DIR, 'ci/two-flows-values.yaml') })
    )
    assert.deepEqual(external.spec.metrics[0].external.metric.selector, {
      matchLabels: { source: 'east' },
      matchExpressions: [{ key: 'destination', operator: 'In', values: ['west', 'south'] }]
    })
  })

  it('lets workers out to the ports of their brokers and token endpoints, and to name servers', async () => {
    const policy = theOnly('NetworkPolicy', await render({ values: join(CHART_DIR, 'ci/sasl-values.yaml') }))
    const ports = policy.spec.egress.flatMap((rule: { ports: { port: number }[] }) =>
      rule.ports.map(({ port }) => port)
    )
    assert.deepEqual(ports, [53, 53, 8443, 9096, 9097])
  })

  it('gives what a command is told to write a place of limited size, and nothing else', async () => {
    for (const values of VALUES_FILES) {
      const pod = podOf(await render({ values, set: ['temporaryFiles.sizeLimit="64Mi"'] }))
      const writable = pod.containers[0].volumeMounts.filter(({ readOnly }: { readOnly?: boolean }) => !readOnly)
      assert.deepEqual(writable, [{ name: 'tmp', mountPath: '/tmp' }], values)
      const tmp = pod.volumes.filter(({ emptyDir }: { emptyDir?: object }) => emptyDir !== undefined)
      assert.deepEqual(tmp, [{ name: 'tmp', emptyDir: { sizeLimit: '64Mi' } }], values)
    }
  })

  it('selects by the same labels everywhere', async () => {
    const manifests = await render({
      values: join(CHART_DIR, 'ci/large-values.yaml'),
      set: ['podLabels={"team":"data"}']
    })
    const labels = theOnly('StatefulSet', manifests).spec.template.metadata.labels
    const selectors = manifests.flatMap(({ kind, spec }) => {
      const selector = spec?.podSelector ?? spec?.selector
      return selector === undefined ? [] : [[kind, selector.matchLabels ?? selector] as const]
    })
    assert.deepEqual(
      selectors.map(([kind]) => kind),
      ['NetworkPolicy', 'PodDisruptionBudget', 'Service', 'StatefulSet', 'PodMonitor']
    )
    for (const [kind, selector] of selectors) {
      assert.ok(Object.keys(selector).length > 0, kind)
      for (const [name, value] of Object.entries(selector)) assert.equal(labels[name], value, kind)
    }
  })

  it('names the endpoint that monitors, probes and the service use', async () => {
    const manifests = await render({
      values: join(CHART_DIR, 'ci/large-values.yaml'),
      set: ['port=9999']
    })
    const [container] = podOf(manifests).containers
    assert.deepEqual(container.ports, [{ name: 'http', containerPort: 9999 }])
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const path = probe === 'readinessProbe' ? '/readyz' : '/livez'
      assert.deepEqual(container[probe].httpGet, { path, port: 'http', scheme: 'HTTP' })
    }
    assert.equal(theOnly('PodMonitor', manifests).spec.podMetricsEndpoints[0].port, 'http')
    assert.equal(configOf(manifests).http.port, 9999)
  })

  it('asks over https, and shows the token, where the port has a certificate and wants one', async () => {
    const manifests = await render({ values: join(CHART_DIR, 'ci/mutual-tls-values.yaml') })
    const [container] = podOf(manifests).containers
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      assert.equal(container[probe].httpGet.scheme, 'HTTPS', probe)
    }
    const [endpoint] = theOnly('PodMonitor', manifests).spec.podMetricsEndpoints
    assert.equal(endpoint.scheme, 'https')
    assert.deepEqual(endpoint.authorization, { credentials: { name: 'farlog-http', key: 'token' } })
    assert.equal(endpoint.tlsConfig.serverName, 'farlog.example.com')
  })

  it('tells who installs it how to look at it, by https and with the token where the port has them', async () => {
    const plain = await notes(MINIMAL)
    assert.match(plain, / exec farlog-0 -- farlog status$/m)
    assert.match(plain, / # then http:\/\/127\.0\.0\.1:9464\/$/m)
    const closed = await notes(join(CHART_DIR, 'ci/mutual-tls-values.yaml'))
    assert.match(closed, / # then https:\/\/127\.0\.0\.1:9464\/, any user, the token as password$/m)
  })

  describe('refuses', () => {
    const cases: Readonly<Record<string, readonly [string, RegExp]>> = {
      'an unknown value': ['replica=3', /replica/],
      'a variable that farlog does not know': ['settings={"FARLOG_TOPCIS":"a"}', /FARLOG_TOPCIS/],
      'a variable that the chart sets itself': ['settings={"FARLOG_SOURCE":"a"}', /FARLOG_SOURCE/],
      'an alias without a cluster': ['destinations=["nowhere"]', /clusters\.nowhere is missing/],
      'brokers without a port': ['clusters.east.bootstrapServers=["east"]', /bootstrapServers/],
      'SASL without credentials': ['clusters.east.securityProtocol="SASL_SSL"', /sasl/],
      'a password’s mechanism without a password': [
        'clusters.east={"bootstrapServers":["a:1"],"securityProtocol":"SASL_SSL","sasl":{"mechanism":"SCRAM-SHA-512"}}',
        /credentialsSecret/
      ],
      'OAUTHBEARER without who issues tokens': [
        'clusters.east={"bootstrapServers":["a:1"],"securityProtocol":"SASL_SSL","sasl":{"mechanism":"OAUTHBEARER","credentialsSecret":{"name":"a"}}}',
        /oauth/
      ],
      'a token that everybody could read': ['settings={"FARLOG_HTTP_TOKEN":"a"}', /FARLOG_HTTP_TOKEN/],
      'a certificate as a plain variable': ['settings={"FARLOG_HTTP_TLS_CERT":"a"}', /FARLOG_HTTP_TLS_CERT/],
      'a certificate without its key': [
        'secretSettings={"FARLOG_HTTP_TLS_CERT":{"name":"a","key":"b"}}',
        /FARLOG_HTTP_TLS_KEY/
      ],
      'an alert that there is not': [
        'prometheusRule={"enabled":true,"disabled":["FarlogHartbeatMissing"]}',
        /prometheusRule\.disabled: there is no alert FarlogHartbeatMissing/
      ],
      'an objective that there is not': ['prometheusRule.objectives={"loss_exposure":60}', /loss_exposure/],
      'fewer workers at the most than at the least': [
        'autoscaling={"kind":"keda","minReplicas":8,"maxReplicas":2}',
        /autoscaling\.minReplicas is 8, and maxReplicas only 2/
      ]
    }
    for (const [title, [setting, message]] of Object.entries(cases)) {
      it(title, async () => {
        const { code, stderr } = await runHelm('template', { values: MINIMAL, set: [setting] })
        assert.notEqual(code, 0)
        assert.match(stderr, message)
      })
    }
  })

  it('allows exactly the variables that farlog has and the chart does not set itself', () => {
    const schema = JSON.parse(readFileSync(join(CHART_DIR, 'values.schema.json'), 'utf8')) as {
      definitions: { setting: { enum: string[] }; secretSetting: { enum: string[] } }
    }
    const ofTheChart = ['SOURCE', 'DESTINATIONS', 'HTTP_PORT', 'GROUP_INSTANCE_ID'].map(name => `FARLOG_${name}`)
    const variables = Object.values<Variable<unknown>>(FIXED).filter(({ name }) => !ofTheChart.includes(name))
    const isSecret = ({ name, secret }: Variable<unknown>) => secret === true || name.endsWith('_FILE')
    const [secrets, plain] = [variables.filter(isSecret), variables.filter(variable => !isSecret(variable))]
    const hint = 'put the names of src/config/variables.ts into definitions.setting.enum of values.schema.json'
    const sorted = (names: readonly string[]) => names.toSorted()
    assert.deepEqual(sorted(schema.definitions.setting.enum), sorted(plain.map(({ name }) => name)), hint)
    // From a Secret a file's variable is named without its end, as any other.
    const fromSecrets = secrets.map(({ name }) => name.replace(/_FILE$/, ''))
    assert.deepEqual(sorted(schema.definitions.secretSetting.enum), sorted(fromSecrets), hint)
  })
})

describe('the checks of manifests', function () {
  this.timeout(60_000)

  const mutations: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a privileged container': ['securityContext.privileged=true', /is privileged/],
    'root by its number': ['podSecurityContext.runAsUser=0', /may run as root/],
    'root by default': ['podSecurityContext.runAsNonRoot=false', /may run as root/],
    'a privilege to be gained': ['securityContext.allowPrivilegeEscalation=true', /may gain privileges/],
    'a root file system that can be written': ['securityContext.readOnlyRootFilesystem=false', /may write to its root/],
    'a capability': ['securityContext.capabilities={"drop":["ALL"],"add":["NET_ADMIN"]}', /has capabilities/],
    'capabilities that are kept': ['securityContext.capabilities={"drop":["CHOWN"]}', /has capabilities/],
    'no seccomp profile': ['podSecurityContext.seccompProfile.type="Unconfined"', /has no seccomp profile/],
    'no memory limit': ['resources.limits.memory=null', /has no memory limit/],
    'no cpu limit': ['resources.limits.cpu=null', /has no cpu limit/],
    'a token': ['automountServiceAccountToken=true', /mounts a service-account token/]
  }
  for (const [title, [setting, violation]] of Object.entries(mutations)) {
    it(`find ${title}`, async () => {
      const violations = policyViolations(await render({ values: MINIMAL, set: [setting] }))
      assert.equal(violations.length, 1, violations.join('\n'))
      assert.match(violations[0]!, violation)
    })
  }

  it('find what the chart has no value for', async () => {
    const [statefulSet] = (await render({ values: MINIMAL })).filter(({ kind }) => kind === 'StatefulSet')
    const pod = statefulSet!.spec.template.spec
    pod.hostNetwork = true
    pod.volumes = [{ name: 'node', hostPath: { path: '/' } }]
    pod.containers[0].env.push({ name: 'FARLOG_X', valueFrom: { secretKeyRef: { name: 'x', key: 'y' } } })
    assert.deepEqual(policyViolations([statefulSet!]), [
      "StatefulSet farlog: shares the node's: hostNetwork",
      "StatefulSet farlog: mounts the node's files: node",
      'StatefulSet farlog: farlog has a secret in a variable'
    ])
  })

  it('find a field that Kubernetes or an operator does not know, and one of another type', async () => {
    const manifests = await render({
      values: join(CHART_DIR, 'ci/large-values.yaml'),
      set: ['podMonitor.interval="15s"']
    })
    theOnly('StatefulSet', manifests).spec.template.spec.containers[0].livnessProbe = {}
    theOnly('StatefulSet', manifests).spec.minReadySeconds = 'ten'
    theOnly('ScaledObject', manifests).spec.minReplicas = 1
    theOnly('ScaledObject', manifests).spec.triggers[0].metadata.threshold = 5
    theOnly('PodMonitor', manifests).spec.podMetricsEndpoints[0].prot = 'http'
    theOnly('PodMonitor', manifests).spec.podMetricsEndpoints[0].interval = 15
    delete theOnly('PodMonitor', manifests).spec.selector
    for (const kubernetes of KUBERNETES_VERSIONS) {
      assert.deepEqual(problems(manifests, kubernetes).toSorted(), [
        'PodMonitor/spec/podMetricsEndpoints/0/interval: must be a string',
        'PodMonitor/spec/podMetricsEndpoints/0/prot: unknown',
        'PodMonitor/spec/selector: is missing',
        'ScaledObject/spec/triggers/0/metadata/threshold: must be string',
        'ScaledObject/spec: must NOT have additional properties (minReplicas)',
        'StatefulSet/spec/minReadySeconds: must be integer,null',
        'StatefulSet/spec/template/spec/containers/0: must NOT have additional properties (livnessProbe)'
      ])
    }
  })

  it('find a kind that there is not', () => {
    const manifest = { apiVersion: 'policy/v1', kind: 'PodSecurityPolicy', metadata: { name: 'x' } }
    assert.match(problems([manifest], '1.37.0').join(), /there is no policy\/v1/)
  })
})

/** Who is mirrored to whom, under which protocol and mechanism. */
const FLOWS = {
  large: ['east PLAINTEXT → west PLAINTEXT'],
  minimal: ['east PLAINTEXT → west PLAINTEXT'],
  'mutual-tls': ['east SSL certificate → west SSL certificate'],
  sasl: ['us-1.eu SASL_SSL SCRAM-SHA-512 → west SASL_SSL OAUTHBEARER'],
  'two-flows': ['east PLAINTEXT → west PLAINTEXT', 'east PLAINTEXT → south PLAINTEXT']
}

function flowsOf(config: Config): string[] {
  return config.flows.map(({ source, destination }) =>
    [source, destination]
      .map(({ alias, securityProtocol, tls, sasl }) =>
        [alias, securityProtocol, ...(tls?.cert ? ['certificate'] : []), ...(sasl ? [sasl.mechanism] : [])].join(' ')
      )
      .join(' → ')
  )
}

function problems(manifests: readonly Manifest[], kubernetes: string): string[] {
  const schema = schemas.get(kubernetes) ?? new KubernetesSchema(kubernetes)
  schemas.set(kubernetes, schema)
  return manifests.flatMap(manifest => schema.problems(manifest))
}

// biome-ignore lint/suspicious/noExplicitAny: schemas judge its shape
function podOf(manifests: readonly Manifest[]): any {
  return theOnly('StatefulSet', manifests).spec.template.spec
}

/** What a worker makes of the variables and files that its pod has. @throws ConfigError */
function configOf(manifests: readonly Manifest[]): Config {
  const pod = podOf(manifests)
  const root = mkdtempSync(join(tmpdir(), 'farlog-pod-'))
  try {
    const secrets = pod.volumes.find(({ name }: { name: string }) => name === 'secrets')
    for (const source of secrets?.projected.sources ?? []) {
      for (const { path } of source.secret.items) {
        const file = join(root, 'etc/farlog', path)
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, /\.(crt|key)$|_TLS_(CERT|KEY)$/.test(path) ? PEM : 'secret')
      }
    }
    const env: NodeJS.ProcessEnv = {}
    for (const { name, value, valueFrom } of pod.containers[0].env) {
      assert.equal(env[name], undefined, `${name} is set twice`)
      env[name] = valueFrom === undefined ? value.replace(/^\/etc\/farlog/, `${root}/etc/farlog`) : 'farlog-0'
    }
    return loadConfig(env)
  } finally {
    rmSync(root, { recursive: true })
  }
}

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
