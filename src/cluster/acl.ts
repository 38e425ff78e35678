/** ACLs of topics, in Kafka's own words. */
import {
  type Acl,
  AclOperations,
  type AclPermission,
  AclPermissionTypes,
  type AclTarget,
  ResourcePatternTypes,
  ResourceTypes
} from '@platformatic/kafka'

/** What may be done, or not, to a resource: `READ`, `ALTER_CONFIGS`, … */
export type AclOperation = keyof typeof AclOperations

/** One ACL of a topic that it names literally. */
export interface AclBinding {
  readonly topic: string
  /** `User:name`, or whatever the authorizer knows. */
  readonly principal: string
  readonly host: string
  readonly operation: AclOperation
  readonly permission: 'ALLOW' | 'DENY'
}

const OPERATIONS = Object.keys(AclOperations) as AclOperation[]

/** Matches every ACL of every topic that is named literally. */
export const LITERAL_TOPIC_ACLS = {
  resourceType: ResourceTypes.TOPIC,
  resourceName: null,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: null,
  host: null,
  operation: AclOperations.ANY,
  permissionType: AclPermissionTypes.ANY
} as const

/** From the protocol's numbers. Operations that are newer than this client are left out. */
export function fromAcl({ resourceName }: AclTarget, { principal, host, operation, permissionType }: AclPermission) {
  const named = OPERATIONS.find(name => AclOperations[name] === operation)
  const permission = permissionType === AclPermissionTypes.ALLOW ? 'ALLOW' : 'DENY'
  return named === undefined
    ? []
    : [{ topic: resourceName, principal, host, operation: named, permission } as AclBinding]
}

/** To the protocol's numbers. */
export function toAcl({ topic, principal, host, operation, permission }: AclBinding): Acl {
  return {
    resourceType: ResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal,
    host,
    operation: AclOperations[operation],
    permissionType: AclPermissionTypes[permission]
  }
}

/**
 * The operations that an `authorized operations` field names (KIP-430): bit n stands for the operation with number n.
 * A cluster without an authorizer names all that there are.
 */
export function operationsIn(bits: number): Set<AclOperation> {
  return new Set(OPERATIONS.filter(name => (bits & (1 << AclOperations[name])) !== 0))
}
