import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { PROJECT_DIR } from '../support/java.ts'
import { KUBERNETES_VERSIONS } from './helm.ts'
import { KubernetesSchema } from './kubernetes-schema.ts'
import { parseManifests } from './manifest.ts'
import { writtenTwice } from './plain-manifests.ts'
import { policyViolations } from './policy.ts'

const FOLDER = join(PROJECT_DIR, 'deploy/kubernetes')
const HINT = 'run node test/deploy/plain-manifests.ts'

describe('deploy/kubernetes', function () {
  this.timeout(60_000)

  it('is what the chart comes to, as are the rules that the chart holds', async () => {
    const expected = await writtenTwice()
    for (const [file, contents] of expected) {
      assert.ok(existsSync(join(PROJECT_DIR, file)), `${file} is missing: ${HINT}`)
      assert.equal(readFileSync(join(PROJECT_DIR, file), 'utf8'), contents, `${file}: ${HINT}`)
    }
    const inFolder = readdirSync(FOLDER).filter(file => file !== 'values.yaml')
    assert.deepEqual(
      inFolder.map(file => `deploy/kubernetes/${file}`).filter(file => !expected.has(file)),
      [],
      'nothing renders these'
    )
  })

  it('is right for Kubernetes without helm having seen it', () => {
    const { resources } = parse(readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8')) as { resources: string[] }
    const manifests = resources.flatMap(file => parseManifests(readFileSync(join(FOLDER, file), 'utf8')))
    assert.deepEqual(manifests.map(({ kind }) => kind).sort(), [
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
      'StatefulSet'
    ])
    for (const version of KUBERNETES_VERSIONS) {
      const schema = new KubernetesSchema(version)
      assert.deepEqual(
        manifests.flatMap(manifest => schema.problems(manifest)),
        []
      )
    }
    assert.deepEqual(policyViolations(manifests), [])
  })
})
