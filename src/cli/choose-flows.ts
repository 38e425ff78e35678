import type { Config, FlowConfig } from '../config/types.ts'
import { UsageError } from './usage-error.ts'

/** The flows to this destination; all of them where none is named. @throws UsageError for an alias that is not configured */
export function chooseFlows(config: Config, destination: string | undefined): readonly FlowConfig[] {
  if (destination === undefined) return config.flows
  const flows = config.flows.filter(flow => flow.destination.alias === destination)
  if (flows.length > 0) return flows
  throw new UsageError(`--destination ${destination} is none of the configured ones: ${aliases(config)}`)
}

/** The one flow that is meant. @throws UsageError where it has to be named */
export function chooseFlow(config: Config, destination: string | undefined): FlowConfig {
  const [flow, ...others] = chooseFlows(config, destination)
  if (others.length > 0) throw new UsageError(`--destination is needed, one of ${aliases(config)}`)
  return flow!
}

function aliases(config: Config): string {
  return config.flows.map(flow => flow.destination.alias).join(', ')
}
