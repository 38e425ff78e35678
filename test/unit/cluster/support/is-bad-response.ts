import { ClusterError } from '../../../../src/cluster/errors.ts'

/** For `assert.throws`: whether it says that an answer's bytes contradict themselves. */
export function isBadResponse(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'BAD_RESPONSE' && error.retriable
}

/** Every way to cut these bytes short. */
export function* cuts(bytes: Buffer): Generator<Buffer> {
  for (let end = 0; end < bytes.length; end++) yield bytes.subarray(0, end)
}
