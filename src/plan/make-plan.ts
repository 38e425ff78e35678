import { ClusterError } from '../cluster/errors.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { readFacts, SameCluster } from './facts.ts'
import type { Blocker, FlowPlan, Plan } from './plan.ts'
import { emptyPlan, planFlow } from './plan-flow.ts'

/** Asks both clusters of each flow, and changes nothing at either. */
export async function makePlan(config: Config): Promise<Plan> {
  const flows = await Promise.all(config.flows.map(flow => planOf(config, flow)))
  return { isBlocked: flows.some(({ blockers }) => blockers.length > 0), flows }
}

async function planOf(config: Config, flow: FlowConfig): Promise<FlowPlan> {
  try {
    return planFlow(config, flow, await readFacts(config, flow))
  } catch (error) {
    return { ...emptyPlan(flow), blockers: [whyNot(error, flow)] }
  }
}

const UNREACHABLE = new Set(['UNREACHABLE', 'TIMED_OUT', 'AUTHENTICATION'])

/** @throws what is nothing that a cluster said */
function whyNot(error: unknown, { source, destination }: FlowConfig): Blocker {
  if (error instanceof SameCluster) {
    const both = `${source.alias} and ${destination.alias} are the same cluster (${error.clusterId})`
    return { code: 'SAME_CLUSTER', topic: null, message: `${both}: check their BOOTSTRAP_SERVERS` }
  }
  if (!(error instanceof ClusterError)) throw error
  return { code: UNREACHABLE.has(error.code) ? 'UNREACHABLE' : 'CANNOT_ASK', topic: null, message: error.message }
}
