/** What a person reads of a plan. */
import { counted, inThousands } from '../terminal/amounts.ts'
import { type Cell, type Column, tableLines } from '../terminal/table.ts'
import type { FlowPlan, Plan, PlannedTopic, TopicState } from './plan.ts'

const COLUMNS: readonly Column[] = [
  { title: 'TOPIC', align: 'left', canShrink: true },
  { title: 'PARTITIONS', align: 'right' },
  { title: 'DESTINATION', align: 'left', canShrink: true },
  { title: 'TO CREATE', align: 'right' },
  { title: 'CONFIGS', align: 'right' },
  { title: 'ACLS', align: 'right' },
  { title: 'STATE', align: 'left' }
]

const STATES: readonly TopicState[] = ['blocked', 'to create', 'short of partitions', 'there']

/** Of each flow: what stands in the way, the topics, what differs, and what is left out. @param widthMax longest table line */
export function planText({ flows }: Plan, widthMax: number): string {
  return flows.map(flow => `${flowLines(flow, widthMax).join('\n')}\n`).join('\n')
}

function flowLines(flow: FlowPlan, widthMax: number): string[] {
  const { source, destination, groupId, blockers, topics, leftOut, groups, notes } = flow
  return [
    `${source} → ${destination}   group ${groupId}`,
    ...blockers.map(({ message }) => `blocked: ${message}`),
    ...(topics.length === 0 ? [] : ['', ...tableLines(COLUMNS, topics.map(cells), widthMax)]),
    ...section('differences', topics.flatMap(differences)),
    ...section(
      'left out',
      leftOut.map(({ topic, reason }) => `${topic}: ${reason}`)
    ),
    ...(groups === null ? [] : section(`${counted(groups.length, 'group')} whose offsets are translated`, groups)),
    ...section('to know', notes),
    '',
    verdict(flow)
  ]
}

function cells({
  topic,
  partitions,
  destinationTopic,
  partitionsToCreate,
  configs,
  acls,
  state
}: PlannedTopic): Cell[] {
  const numbers = [partitionsToCreate, configs.length, acls.length].map(count =>
    count === 0 ? '-' : inThousands(count)
  )
  const [toCreate, configCount, aclCount] = numbers as [string, string, string]
  return [topic, inThousands(partitions), destinationTopic, toCreate, configCount, aclCount, state].map(text => ({
    text
  }))
}

function differences({ destinationTopic, configs, acls }: PlannedTopic): string[] {
  return [
    ...configs.map(({ name, from, to }) => {
      const change = to === null ? `${from} is removed` : `${from ?? 'not set'} becomes ${to}`
      return `${destinationTopic}: ${name}: ${change}`
    }),
    ...acls.map(acl => `${destinationTopic}: ${acl}`)
  ]
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map(line => `  ${line}`)]
}

function verdict({ blockers, topics }: FlowPlan): string {
  const counts = STATES.map(state => ({ state, count: topics.filter(topic => topic.state === state).length }))
  const states = counts.filter(({ count }) => count > 0).map(({ state, count }) => `${inThousands(count)} ${state}`)
  const sum = (count: (topic: PlannedTopic) => number) => topics.reduce((total, topic) => total + count(topic), 0)
  const work = [
    [sum(topic => topic.partitionsToCreate), 'partition', 'to create'],
    [sum(topic => topic.configs.length), 'configuration', 'to change'],
    [sum(topic => topic.acls.length), 'ACL', 'to create']
  ] as const
  const toDo = work.filter(([count]) => count > 0).map(([count, noun, verb]) => `${counted(count, noun)} ${verb}`)
  const selected =
    topics.length === 0 ? 'no topic is selected' : `${counted(topics.length, 'topic')}: ${states.join(', ')}`
  const rest = toDo.length === 0 ? 'nothing to do' : toDo.join(', ')
  return `${selected}; ${blockers.length === 0 ? rest : `${counted(blockers.length, 'blocker')}`}`
}
