/** What farlog is told of a cluster that wants to know a user, by SASL/PLAIN. @param alias as it stands in variables */
export function login(alias: string, bootstrap: string, username: string, password: string): Record<string, string> {
  return {
    [`FARLOG_${alias}_BOOTSTRAP_SERVERS`]: bootstrap,
    [`FARLOG_${alias}_SECURITY_PROTOCOL`]: 'SASL_PLAINTEXT',
    [`FARLOG_${alias}_SASL_MECHANISM`]: 'PLAIN',
    [`FARLOG_${alias}_SASL_USERNAME`]: username,
    [`FARLOG_${alias}_SASL_PASSWORD`]: password
  }
}
