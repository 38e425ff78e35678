/**
 * `make sbom`: the npm packages in the image, as CycloneDX. `npm sbom --omit dev` leaves out packages that both farlog and a tool
 * of its developers need, so npm lists all and the lock file says which of them are for developers alone. Time and serial number
 * are left out: the same lock file gives the same bytes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_DIR } from '../support/java.ts'
import { runToEnd } from '../support/run-to-end.ts'

/** CycloneDX, as far as it is looked into here. */
export interface Sbom {
  readonly bomFormat: string
  readonly specVersion: string
  readonly metadata: {
    readonly timestamp?: string
    readonly component: { readonly 'bom-ref': string; readonly name: string }
  }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

export interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
}

interface Locked {
  readonly version: string
  /** Needed by developers alone. */
  readonly dev?: boolean
}

/** The bill of materials of what `npm ci --omit=dev` installs, on any platform. */
export async function makeSbom(): Promise<Sbom> {
  const npm = join(PROJECT_DIR, '.tools/npm/bin/npm-cli.js')
  const command = existsSync(npm) ? [process.execPath, npm] : ['npm']
  const { stdout } = await runToEnd([...command, 'sbom', '--package-lock-only', '--sbom-format', 'cyclonedx'], {
    cwd: PROJECT_DIR
  })
  const { serialNumber: _, ...all } = JSON.parse(stdout) as Sbom & { serialNumber: string }
  const { timestamp: __, ...metadata } = all.metadata
  const shipped = new Set(shippedPackages())
  const components = all.components.filter(({ name, version }) => shipped.has(`${name}@${version}`))
  const refs = new Set([metadata.component['bom-ref'], ...components.map(component => component['bom-ref'])])
  return {
    ...all,
    // npm calls it as the folder is called.
    metadata: { ...metadata, component: { ...metadata.component, name: 'farlog' } },
    components,
    dependencies: all.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(dependency => refs.has(dependency)) }))
  }
}

/** `name@version` of what is not for developers alone. */
export function shippedPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(PROJECT_DIR, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>
  }
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`)
}

if (import.meta.main) {
  const file = process.argv[2]
  if (file === undefined) throw new Error('Say where to write it: node test/deploy/sbom.ts FILE')
  const sbom = await makeSbom()
  writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`)
  console.log(`${file}: ${sbom.components.length} components`)
}
