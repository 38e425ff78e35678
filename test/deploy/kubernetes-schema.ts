/** Judges manifests by the schemas that `bin/setup` fetched: Kubernetes' own, and those of the operators' kinds. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { PROJECT_DIR } from '../support/java.ts'
import { GoTypes } from './go-types.ts'
import type { Manifest } from './manifest.ts'

const SCHEMAS_DIR = join(PROJECT_DIR, '.tools/deploy')
/** Schemas leave formats to whoever reads them. */
const FORMATS = ['int32', 'int64', 'double', 'byte', 'date-time']

/** What one version of Kubernetes would refuse. */
export class KubernetesSchema {
  readonly #folder: string
  readonly #ajv = newAjv()
  readonly #ofKind = new Map<string, ValidateFunction>()

  constructor(version: string) {
    this.#folder = join(SCHEMAS_DIR, 'kubernetes', version)
    this.#ajv.addSchema(readJson(join(this.#folder, '_definitions.json')))
  }

  /** One line for each thing that is wrong; a kind without a schema is wrong too. */
  problems(manifest: Manifest): string[] {
    const { apiVersion, kind } = manifest
    if (apiVersion === 'keda.sh/v1alpha1') return judge(manifest, scaledObjectSchema())
    if (apiVersion === 'monitoring.coreos.com/v1') return monitoringTypes().problems(kind, manifest)
    // networking.k8s.io/v1 → networkpolicy-networking-v1.json, v1 → service-v1.json
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const name = [kind.toLowerCase(), ...(group === '' ? [] : [group!.split('.')[0]]), version].join('-')
    const file = join(this.#folder, `${name}.json`)
    if (!existsSync(file)) return [`${kind}: there is no ${apiVersion} in this version of Kubernetes`]
    const validate = this.#ofKind.get(name) ?? this.#ajv.compile(readJson(file))
    this.#ofKind.set(name, validate)
    return judge(manifest, validate)
  }
}

let scaledObject: ValidateFunction | undefined
let monitoring: GoTypes | undefined

/** From KEDA's own custom resource definition. */
function scaledObjectSchema(): ValidateFunction {
  scaledObject ??= newAjv().compile(strict(crdSchema(join(SCHEMAS_DIR, 'keda.sh_scaledobjects.yaml'))))
  return scaledObject
}

function monitoringTypes(): GoTypes {
  monitoring ??= new GoTypes(join(SCHEMAS_DIR, 'prometheus-operator'))
  return monitoring
}

function crdSchema(file: string): object {
  const crd = parse(readFileSync(file, 'utf8')) as {
    spec: { versions: { name: string; schema: { openAPIV3Schema: object } }[] }
  }
  return crd.spec.versions[0]!.schema.openAPIV3Schema
}

/** Kubernetes drops fields that a definition does not name; a test wants to hear of them. */
function strict(schema: unknown): object {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    const copy: Record<string, unknown> = Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, walk(part)])
    )
    const isMetadata = Object.keys(copy).length === 1
    if (copy.type === 'object' && typeof copy.properties === 'object' && !isMetadata)
      copy.additionalProperties ??= false
    return copy
  }
  return walk(schema) as object
}

function judge(manifest: Manifest, validate: ValidateFunction): string[] {
  const { kind } = manifest
  if (validate(manifest)) return []
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const detail = 'additionalProperty' in params ? ` (${params.additionalProperty})` : ''
    return `${kind}${instancePath}: ${message}${detail}`
  })
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  for (const format of FORMATS) ajv.addFormat(format, true)
  return ajv
}

function readJson(file: string): object {
  return JSON.parse(readFileSync(file, 'utf8')) as object
}
