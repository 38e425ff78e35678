import type { AclOperation } from '../cluster/acl.ts'
import type { ClusterError } from '../cluster/errors.ts'

/** An ACL as a person would grant it. */
export function missingTopicAcl(operation: AclOperation, topic: string, alias: string): string {
  return `missing ACL at ${alias}: ${operation} on topic ${topic}`
}

/** Why a request about a topic failed; names the ACL where one is missing. */
export function topicFailure(error: ClusterError, operation: AclOperation, topic: string, alias: string): string {
  return error.code === 'TOPIC_AUTHORIZATION_FAILED' ? missingTopicAcl(operation, topic, alias) : error.message
}
