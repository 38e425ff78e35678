import { ClusterError } from '../cluster/errors.ts'
import { type Check, Notes, type Tell } from './finding.ts'

/** A check, and how it is made. */
export type Step = readonly [check: Check, make: () => Promise<void>]

/** Makes checks one after the other; once a cluster does not answer, the others are left out, and each says so. */
export async function makeInTurn(about: string, steps: readonly Step[], tell: Tell): Promise<void> {
  let hasFailed = false
  for (const [check, make] of steps) {
    const notes = new Notes(check, about, tell)
    if (hasFailed) {
      notes.skipped('not found out, since a cluster has stopped answering')
      continue
    }
    try {
      await make()
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      hasFailed = true
      notes.problem(error.message, null)
    }
  }
}
