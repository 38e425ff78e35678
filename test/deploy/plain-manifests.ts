/**
 * What is written down twice, from where it is kept: `node test/deploy/plain-manifests.ts` writes deploy/kubernetes, the
 * chart rendered for those who have no helm, and the chart's own copy of the alerting rules (a chart can't reach outside its
 * folder). A test compares.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PROJECT_DIR } from '../support/java.ts'
import { renderText } from './helm.ts'

const VALUES = join(PROJECT_DIR, 'deploy/kubernetes/values.yaml')
const RULES = 'deploy/prometheus/rules/farlog.yaml'
const CHART_RULES = 'deploy/helm/farlog/rules/farlog.yaml'
/** Kinds that only a cluster with the operator knows. */
const OF_OPERATORS = ['podmonitor', 'prometheusrule', 'scaledobject']

/** Path below the project's folder → contents. */
export async function writtenTwice(): Promise<Map<string, string>> {
  const files = new Map([[CHART_RULES, readFileSync(join(PROJECT_DIR, RULES), 'utf8')]])
  const rendered = await renderText({ values: VALUES, namespace: 'farlog' })
  const names: string[] = []
  for (const part of rendered.split(/^---\n/m)) {
    const [, name] = /^# Source: farlog\/templates\/([\w-]+)\.yaml\n/.exec(part) ?? []
    if (name === undefined) continue
    names.push(name)
    files.set(`deploy/kubernetes/${name}.yaml`, HEAD + withoutHelm(part))
  }
  files.set('deploy/kubernetes/kustomization.yaml', kustomization(names.sort()))
  return files
}

const HEAD = '# Rendered from deploy/helm/farlog with deploy/kubernetes/values.yaml; change it there.\n'

/** Nobody looks for what helm manages under a label. */
function withoutHelm(manifest: string): string {
  return manifest
    .replace(/^# Source: .*\n/, '')
    .replaceAll(/^ +(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): .*\n/gm, '')
    .replaceAll(/\n{2,}/g, '\n')
}

function kustomization(names: readonly string[]): string {
  const resources = (chosen: readonly string[], indent: string) =>
    chosen.map(name => `${indent}- ${name}.yaml\n`).join('')
  const isPlain = (name: string) => !OF_OPERATORS.includes(name)
  return `${HEAD}apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
${resources(names.filter(isPlain), '  ')}  # Where the Prometheus Operator runs:
${resources(
  names.filter(name => !isPlain(name)),
  '  # '
)}`
}

if (import.meta.main) {
  // Before anything is rendered: a manifest is made of it.
  cpSync(join(PROJECT_DIR, RULES), join(PROJECT_DIR, CHART_RULES))
  for (const [file, contents] of await writtenTwice()) {
    const path = join(PROJECT_DIR, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, contents)
    console.log(file)
  }
}
