/**
 * Which ACLs of a source topic its destination topic gets. The rules are MirrorMaker 2's
 * (MirrorSourceConnector.syncTopicAcls): the mirror alone writes to a copy, so leave to WRITE is not copied, and leave to
 * do everything becomes leave to READ. What is denied is denied there too. Nothing is ever deleted.
 */
import type { AclBinding } from '../cluster/acl.ts'

/** The ACLs that are missing at the destination, each once. @param destinationTopics by source topic */
export function missingAcls(
  source: readonly AclBinding[],
  destination: readonly AclBinding[],
  destinationTopics: ReadonlyMap<string, string>
): AclBinding[] {
  const there = new Set(destination.map(aclText))
  const missing = new Map<string, AclBinding>()
  for (const binding of source) {
    const topic = destinationTopics.get(binding.topic)
    const copied = topic === undefined ? undefined : copiedAcl({ ...binding, topic })
    if (copied !== undefined && !there.has(aclText(copied))) missing.set(aclText(copied), copied)
  }
  return [...missing.values()]
}

/** An ACL in a line, as Kafka's tools write them. */
export function aclText({ topic, principal, host, operation, permission }: AclBinding): string {
  return `${permission} ${operation} on ${topic} to ${principal} from ${host}`
}

function copiedAcl(binding: AclBinding): AclBinding | undefined {
  if (binding.permission === 'DENY') return binding
  if (binding.operation === 'WRITE') return undefined
  return binding.operation === 'ALL' ? { ...binding, operation: 'READ' } : binding
}
