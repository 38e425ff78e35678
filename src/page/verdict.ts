/** Whether the copy can be trusted, from what is known of a flow. Pure; the order of the rules is the order of what matters. */
import type { StopStatus } from '../observe/status.ts'
import { counted } from '../terminal/amounts.ts'
import { type FlowView, VERDICT_LEVELS, type Verdict } from './page-view.ts'
import { type Exposure, inWords } from './words.ts'

export interface FlowFacts {
  readonly source: string
  readonly destination: string
  /** `null` when the worker is ready to mirror this flow. */
  readonly notReadyReason: string | null
  readonly stopped: StopStatus | null
  /** What keeps the partitions of the other workers from being known, as a sentence ends; `null` when the whole group was seen lately. */
  readonly unseen: string | null
  /** Partitions that are known of. */
  readonly partitions: number
  /** Halted partitions by what each of them says first (`gap`, `not-authorized`, …). */
  readonly halted: ReadonlyMap<string, number>
  readonly stalled: number
  /** Differences from their copies that verification has found, and the partitions that have them. */
  readonly differences: number
  readonly differing: readonly string[]
  /** Partitions whose lag is not known. */
  readonly unknown: number
  readonly exposure: Exposure
  readonly etaSeconds: number | null
  /** Lag up to this is what an asynchronous copy is. */
  readonly lagLimitSeconds: number
  /** How far behind the copy is kept on purpose. */
  readonly delaySeconds: number
  readonly heartbeatAgeSeconds: number | null
  /** Until the source deletes a record that is not copied yet and will not be in time; `null` where none is in danger. */
  readonly deletedInSeconds: number | null
  /** Partitions whose earlier copies are not at the destination any more. */
  readonly copiesGone: readonly string[]
  /** Events of the last day by which records are missing at the destination. */
  readonly passedLately: number
  /** Times in the last day that somebody said where a partition goes on. */
  readonly resumedLately: number
}

/** A heartbeat crosses the flow every second; it is a record as any other. */
const HEARTBEAT_AGE_MAX_SECONDS = 60
/** Partitions that a sentence names. */
const NAMES_MAX = 3

export function verdictOf(flow: FlowFacts): Verdict {
  const { source, destination, notReadyReason, stopped, exposure } = flow
  const troubles = troublesOf(flow)
  if (troubles.length > 0) return { level: 'attention', title: 'Needs attention', sentences: troubles }
  if (stopped !== null) {
    const { stoppedBy, stoppedAt, stopAt, reason } = stopped
    const sentence =
      stopAt === null
        ? `Nobody mirrors ${source} to ${destination} since ${stoppedBy} has stopped it at ${stoppedAt}: ${reason}.`
        : `Nothing that came to ${source} at ${stopAt} or later goes to ${destination}, as ${stoppedBy} has ordered at ${stoppedAt}: ${reason}.`
    return { level: 'stopped', title: 'Stopped', sentences: [sentence] }
  }
  if (notReadyReason !== null) {
    return {
      level: 'unknown',
      title: 'Not known',
      sentences: [`This worker is not ready to mirror ${source} to ${destination}: ${notReadyReason}.`]
    }
  }
  if (flow.partitions === 0 && flow.unseen === null) {
    return { level: 'unknown', title: 'Nothing to copy', sentences: ['No topic of the source is selected.'] }
  }
  if (flow.unseen !== null || exposure.records === null || exposure.seconds === null) {
    return { level: 'unknown', title: 'Not known', sentences: unknownInWords(flow) }
  }
  if (exposure.seconds > flow.lagLimitSeconds) {
    const { etaSeconds } = flow
    const caughtUp =
      etaSeconds === null ? 'it is not known when it will have caught up' : `caught up in about ${inWords(etaSeconds)}`
    const sentence = `${destination} is ${inWords(exposure.seconds)} and ${counted(exposure.records, 'record')} behind ${source}; ${caughtUp}.`
    return { level: 'behind', title: 'Behind', sentences: [sentence, ...notes(flow)] }
  }
  return { level: 'trusted', title: 'Trusted', sentences: [currentInWords(flow), ...notes(flow)] }
}

/** What the page as a whole says: the worst verdict, of each flow that it is the verdict of. */
export function worstOf(flows: readonly Pick<FlowView, 'source' | 'destination' | 'verdict'>[]): Verdict {
  const [first] = flows
  if (first === undefined) return { level: 'unknown', title: 'Not known', sentences: ['No flow is configured.'] }
  if (flows.length === 1) return first.verdict
  const level = VERDICT_LEVELS.find(worst => flows.some(({ verdict }) => verdict.level === worst))!
  const worst = flows.filter(({ verdict }) => verdict.level === level)
  const titles = new Set(worst.map(({ verdict }) => verdict.title))
  return {
    level,
    title: titles.size === 1 ? [...titles][0]! : 'Not known',
    sentences: worst.flatMap(({ source, destination, verdict }) =>
      verdict.sentences.map(sentence => `${source} → ${destination}: ${sentence}`)
    )
  }
}

function troublesOf(flow: FlowFacts): string[] {
  const { halted, stalled, heartbeatAgeSeconds: age, deletedInSeconds, source, destination } = flow
  const sentences: string[] = []
  const haltedCount = [...halted.values()].reduce((sum, count) => sum + count, 0)
  if (haltedCount > 0) {
    const reasons = [...halted].map(([reason, count]) => (halted.size === 1 ? reason : `${reason} ${count}`))
    const verb = haltedCount === 1 ? 'stands' : 'stand'
    sentences.push(`${counted(haltedCount, 'partition')} ${verb} still (${reasons.join(', ')}).`)
  }
  if (stalled > 0) {
    const verb = stalled === 1 ? 'does' : 'do'
    sentences.push(`${counted(stalled, 'partition')} with records to copy ${verb} not move.`)
  }
  if (flow.differences > 0) {
    const found = counted(flow.differences, 'difference')
    sentences.push(`Verification found ${found} between records and their copies in ${namesInWords(flow.differing)}.`)
  }
  if (flow.copiesGone.length > 0) {
    sentences.push(`What had been copied of ${namesInWords(flow.copiesGone)} is gone from ${destination}.`)
  }
  if (deletedInSeconds !== null) {
    const when = deletedInSeconds === 0 ? 'now' : `in ${inWords(deletedInSeconds)}`
    sentences.push(`${source} deletes records ${when} that will not be copied by then.`)
  }
  if (age !== null && age > HEARTBEAT_AGE_MAX_SECONDS + flow.delaySeconds && flow.stopped === null) {
    sentences.push(`No heartbeat from ${source} has reached ${destination} for ${inWords(age)}.`)
  }
  return sentences
}

function namesInWords(names: readonly string[]): string {
  const more = names.length - NAMES_MAX
  const [shown, others] =
    more > 0 ? [names.slice(0, NAMES_MAX), ` and ${counted(more, 'more partition')}`] : [names, '']
  return `${shown.join(', ')}${others}`
}

function unknownInWords({ source, destination, partitions, unknown, unseen }: FlowFacts): string[] {
  const sentences: string[] = []
  if (unseen !== null) {
    sentences.push(
      `Only this worker’s share is known (${counted(partitions, 'partition')}); that of the others ${unseen}.`
    )
  }
  if (unknown > 0) {
    sentences.push(`How far ${counted(unknown, 'partition')} of ${source} got can’t be told now.`)
  } else if (unseen === null) {
    sentences.push(`How far ${destination} is behind ${source} is being found out.`)
  }
  return sentences
}

function currentInWords({ source, destination, exposure, delaySeconds }: FlowFacts): string {
  // No more than that: topics may be left out, begin at their end, or go on where somebody said.
  const copied = `All that was to be copied from ${source} to ${destination} has been copied`
  if (exposure.records === 0) return `${copied}.`
  const late = `${copied}, but for the last ${inWords(exposure.seconds!)}`
  return delaySeconds > 0 ? `${late}; ${inWords(delaySeconds)} of that is on purpose.` : `${late}.`
}

function notes({ passedLately, resumedLately }: FlowFacts): string[] {
  const times = (count: number) => `${count === 1 ? 'Once' : `${count} times`} in the last day`
  return [
    ...(passedLately > 0
      ? [`${times(passedLately)} records were gone before they could be copied: see the events.`]
      : []),
    ...(resumedLately > 0
      ? [
          `${times(resumedLately)} somebody said where a partition goes on, and what that passed over is not copied: see the events.`
        ]
      : [])
  ]
}
