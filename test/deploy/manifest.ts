import { parseAllDocuments } from 'yaml'

/** What Kubernetes is given, as far as tests look into it. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a shape of its own, and schemas judge it
  readonly spec?: any
  readonly [field: string]: unknown
}

/** The documents of a YAML file, without empty ones. @throws where it is no YAML */
export function parseManifests(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).flatMap(document => {
    if (document.errors.length > 0) throw document.errors[0]
    const manifest = document.toJS() as Manifest | null
    return manifest === null ? [] : [manifest]
  })
}

/** The one of that kind. @throws where there is none, or several */
export function theOnly(kind: string, manifests: readonly Manifest[]): Manifest {
  const found = manifests.filter(manifest => manifest.kind === kind)
  if (found.length !== 1) throw new Error(`${found.length} manifests of kind ${kind}`)
  return found[0]!
}
