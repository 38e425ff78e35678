/** The chart, rendered by the real helm. */
import { cpSync, globSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { PROJECT_DIR } from '../support/java.ts'
import { ownFolder } from '../support/owned-process.ts'
import { type RunResult, runAndCollect, runToEnd } from '../support/run-to-end.ts'
import { type Manifest, parseManifests } from './manifest.ts'

/** Versions of Kubernetes that `bin/setup` fetched the schemas of: the oldest that the chart allows, one between, the newest. */
export const KUBERNETES_VERSIONS = ['1.31.0', '1.34.0', '1.37.0'] as const

export const CHART_DIR = join(PROJECT_DIR, 'deploy/helm/farlog')

/** A file of values for each situation: minimal, large, … */
export const VALUES_FILES = globSync('ci/*-values.yaml', { cwd: CHART_DIR })
  .map(file => join(CHART_DIR, file))
  .sort()

const HELM = join(PROJECT_DIR, '.tools/helm/helm')

export interface RenderOptions {
  readonly values: string
  readonly kubernetes?: string
  readonly namespace?: string
  /** As helm's `--set-json`: `securityContext.privileged=true`. */
  readonly set?: readonly string[]
}

/** What the chart comes to. @throws where helm refuses */
export async function render(options: RenderOptions): Promise<Manifest[]> {
  return parseManifests(await renderText(options))
}

/** The same as helm prints it, comments and all. */
export async function renderText(options: RenderOptions): Promise<string> {
  const { code, stdout, stderr } = await runHelm('template', options)
  if (code !== 0) throw new Error(`helm template ended with ${code}: ${stderr}`)
  return stdout
}

/** `helm template` or `helm lint`. A helm that was built by `go install` takes Kubernetes for 1.20 unless it is told. */
export function runHelm(command: 'template' | 'lint', options: RenderOptions): Promise<RunResult> {
  return runAndCollect([
    HELM,
    command,
    ...(command === 'template' ? ['farlog'] : ['--strict', '--quiet']),
    CHART_DIR,
    '--values',
    options.values,
    '--kube-version',
    options.kubernetes ?? KUBERNETES_VERSIONS[1],
    '--namespace',
    options.namespace ?? 'replication',
    ...(options.set ?? []).flatMap(setting => ['--set-json', setting])
  ])
}

/** What helm says to who installs the chart. It does not render that without a cluster, so it is made part of a manifest in a copy. */
export async function notes(values: string): Promise<string> {
  const chart = mkdtempSync(join(tmpdir(), 'farlog-chart-'))
  const { remove } = ownFolder(chart)
  try {
    cpSync(CHART_DIR, chart, { recursive: true })
    const text = readFileSync(join(chart, 'templates/NOTES.txt'), 'utf8')
    const manifest =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: notes }\ndata: { text: {{ include "notes" . | toJson }} }\n'
    writeFileSync(join(chart, 'templates/notes.yaml'), `{{ define "notes" }}${text}{{ end }}\n${manifest}`)
    const shown = ['--show-only', 'templates/notes.yaml', '--kube-version', KUBERNETES_VERSIONS[1]]
    const { stdout } = await runToEnd([HELM, 'template', 'farlog', chart, '--values', values, ...shown])
    return (parseManifests(stdout)[0] as unknown as { data: { text: string } }).data.text
  } finally {
    remove()
  }
}

/** `minimal` of `…/ci/minimal-values.yaml`. */
export function situationOf(valuesFile: string): string {
  return basename(valuesFile, '-values.yaml')
}
