import { defaultGroupId } from '../config/load.ts'
import type { FlowConfig } from '../config/types.ts'
import { UsageError } from './usage-error.ts'

/**
 * The group of the reverse flow's workers, as given; `undefined` for the default.
 * @throws UsageError where nothing tells: who names one group names the other, too
 */
export function readReverseGroup(given: string | undefined, { source, destination, groupId }: FlowConfig) {
  if (given !== undefined || groupId === defaultGroupId(source.alias, destination.alias)) return given
  throw new UsageError(
    `--reverse-group is needed, for FARLOG_GROUP_ID is set: the group of the workers that mirror ${destination.alias} → ${source.alias}`
  )
}
