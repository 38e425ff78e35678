/** What a security review asks of a pod, as the `restricted` Pod Security Standard and some more. */
import type { Manifest } from './manifest.ts'

interface Capabilities {
  readonly add?: readonly string[]
  readonly drop?: readonly string[]
}

interface SecurityContext {
  readonly privileged?: boolean
  readonly allowPrivilegeEscalation?: boolean
  readonly readOnlyRootFilesystem?: boolean
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly runAsGroup?: number
  readonly seccompProfile?: { readonly type?: string }
  readonly capabilities?: Capabilities
}

interface Container {
  readonly name: string
  readonly securityContext?: SecurityContext
  readonly resources?: { readonly requests?: Amounts; readonly limits?: Amounts }
  readonly env?: readonly { readonly name: string; readonly valueFrom?: { readonly secretKeyRef?: unknown } }[]
  readonly envFrom?: readonly { readonly secretRef?: unknown }[]
}

type Amounts = Readonly<Record<string, unknown>>

interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly securityContext?: SecurityContext
  readonly automountServiceAccountToken?: boolean
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
  readonly volumes?: readonly { readonly name: string; readonly hostPath?: unknown; readonly projected?: Projected }[]
}

interface Projected {
  readonly sources: readonly { readonly serviceAccountToken?: unknown }[]
}

/** One line for each thing that a pod of these manifests may do and should not. */
export function policyViolations(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap(({ kind, metadata, spec }) => {
    const pod = spec?.template?.spec as PodSpec | undefined
    return pod === undefined ? [] : podViolations(pod).map(violation => `${kind} ${metadata.name}: ${violation}`)
  })
}

function podViolations(pod: PodSpec): string[] {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => pod[name] === true)
  const volumes = pod.volumes ?? []
  const hasToken = volumes.some(({ projected }) => projected?.sources.some(source => source.serviceAccountToken))
  return [
    ...(pod.automountServiceAccountToken === false && !hasToken ? [] : ['mounts a service-account token']),
    ...shared.map(name => `shares the node's: ${name}`),
    ...volumes.filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => `mounts the node's files: ${name}`),
    ...[...(pod.initContainers ?? []), ...pod.containers].flatMap(container =>
      containerViolations(container, pod).map(violation => `${container.name} ${violation}`)
    )
  ]
}

function containerViolations(container: Container, pod: PodSpec): string[] {
  const context = { ...pod.securityContext, ...container.securityContext }
  const { add = [], drop = [] } = context.capabilities ?? {}
  const { requests = {}, limits = {} } = container.resources ?? {}
  const fromSecret = (container.env ?? []).filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)
  const rules: [isBroken: boolean, violation: string][] = [
    [context.privileged === true, 'is privileged'],
    [context.allowPrivilegeEscalation !== false, 'may gain privileges'],
    [context.runAsNonRoot !== true || context.runAsUser === 0 || context.runAsGroup === 0, 'may run as root'],
    [context.readOnlyRootFilesystem !== true, 'may write to its root file system'],
    [!drop.includes('ALL') || add.length > 0, 'has capabilities'],
    [!['RuntimeDefault', 'Localhost'].includes(context.seccompProfile?.type ?? ''), 'has no seccomp profile'],
    ...['cpu', 'memory'].flatMap((resource): [boolean, string][] => [
      [requests[resource] === undefined, `requests no ${resource}`],
      [limits[resource] === undefined, `has no ${resource} limit`]
    ]),
    [
      fromSecret.length > 0 || (container.envFrom ?? []).some(({ secretRef }) => secretRef),
      'has a secret in a variable'
    ]
  ]
  return rules.filter(([isBroken]) => isBroken).map(([, violation]) => violation)
}
