import { Cluster } from '../cluster/cluster.ts'
import type { Config, FlowConfig } from '../config/types.ts'
import { inThousands } from '../terminal/amounts.ts'
import { BytePace } from '../verify/byte-pace.ts'
import { ContinuousVerifier } from '../verify/continuous.ts'
import { differenceLine } from '../verify/report-text.ts'
import { VerifiedWriter } from '../verify/verified-writer.ts'
import { readMetadata, VERIFY_CLIENT_ID } from '../verify/verify-flow.ts'
import { whoami } from './who.ts'

/** How to verify until told to stop. */
export interface ContinuousOrder {
  readonly config: Config
  readonly flows: readonly FlowConfig[]
  readonly topics: readonly string[] | undefined
  readonly bytesPerSecond: number
  readonly isRemembering: boolean
  readonly isJson: boolean
}

const STATUS_INTERVAL_MS = 30_000

/**
 * Verifies the flows side by side until the signal says stop; differences go to stdout as they are found, all else to stderr.
 * @returns how many differences there were
 * @throws VerifyError where a cluster does not answer at the beginning
 */
export async function verifyContinuously(order: ContinuousOrder, stop: AbortSignal): Promise<number> {
  const pace = new BytePace(order.bytesPerSecond)
  const found = await Promise.all(order.flows.map(flow => verifyFlowContinuously(order, flow, pace, stop)))
  return found.reduce((sum, differences) => sum + differences, 0)
}

async function verifyFlowContinuously(
  { config, topics, bytesPerSecond, isRemembering, isJson }: ContinuousOrder,
  flow: FlowConfig,
  pace: BytePace,
  stop: AbortSignal
): Promise<number> {
  await using source = new Cluster(flow.source, VERIFY_CLIENT_ID)
  await using destination = new Cluster(flow.destination, VERIFY_CLIENT_ID)
  await Promise.all([readMetadata(source), readMetadata(destination)])
  const writer = new VerifiedWriter(flow.destination, source.alias, config.replicationFactor, VERIFY_CLIENT_ID)
  const name = `${source.alias} → ${destination.alias}`
  const verified = new Set<string>()
  let records = 0
  let differences = 0
  const showStatus = () =>
    process.stderr.write(
      `${name}: ${verified.size} partitions begun, ${inThousands(records)} records read, ${inThousands(differences)} differences\n`
    )
  const timer = setInterval(showStatus, STATUS_INTERVAL_MS)
  try {
    await new ContinuousVerifier({
      ...{ config, source, destination, only: topics, bytesPerSecond, pace, isRemembering },
      verifiedBy: `${whoami()}, process ${process.pid}`,
      mirrored: () => undefined,
      listener: {
        verified: ({ topic, partition }) => void verified.add(`${topic}/${partition}`),
        found: (_, faults, first) => {
          differences += faults
          for (const difference of first) {
            const line = { source: source.alias, destination: destination.alias, ...difference }
            process.stdout.write(isJson ? `${JSON.stringify(line)}\n` : `${name}: ${differenceLine(difference)}\n`)
          }
        },
        read: count => {
          records += count
        },
        remember: state => writer.write(state),
        troubled: (message, fields) =>
          process.stderr.write(`${name}: ${message}: ${Object.values(fields).join(', ')}\n`)
      }
    }).run(stop)
    showStatus()
    return differences
  } finally {
    clearInterval(timer)
    await writer.close()
  }
}
