/**
 * Whether the destination remembers a writer for as long as the records are old that are to be copied: a leader forgets it, and the
 * fence with it, by the time of the records (`ProducerStateManager.isProducerExpired`), not by its clock. Pure.
 */
import { duration } from '../status/status-text.ts'
import type { BrokerSettings } from './cluster-checks.ts'
import { Notes, type Tell } from './finding.ts'

/**
 * @param ageSeconds of the oldest record that is not mirrored yet, at most
 * @param settings of the destination's brokers; what is not told there is told as such elsewhere
 */
export function checkBacklogAge(
  about: string,
  ageSeconds: number,
  settings: BrokerSettings | undefined,
  tell: Tell
): void {
  const name = 'producer.id.expiration.ms'
  const rememberedMs = Number(settings?.get(name) ?? Number.NaN)
  if (!(ageSeconds * 1000 > rememberedMs)) return
  const age = Number.isFinite(ageSeconds) ? `up to ${duration(ageSeconds)} old` : 'of any age'
  new Notes('brokers', about, tell).warning(
    `records ${age} may be copied, and the destination's ${name} is ${rememberedMs}: leaders forget writers of older records, so that some may stand there twice after a crash`,
    'set it above that age until they are copied, and run farlog verify then'
  )
}
