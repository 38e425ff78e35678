import { loadConfig } from '../config/load.ts'
import type { FlowConfig } from '../config/types.ts'
import { FlowTranslator, type TranslatedOffset } from '../status/flow-translator.ts'
import { type Column, tableLines } from '../terminal/table.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { Count, showProgress } from './progress.ts'
import { readNumber } from './read-number.ts'
import { UsageError } from './usage-error.ts'

/** `farlog translate`: which destination offset a source offset is. */
export const command = defineCommand({
  name: 'translate',
  summary: 'Tell the destination offset of a source offset.',
  help: `Where a reader who was at an offset of the source (the next record to be read) goes on at the destination.
It is found in the destination's own log, by the header farlog.origin of the copies, and is exact whatever
compaction, transactions and other writers have left of either side. Changes nothing and commits nothing.

Options:
  --topic NAME         The source topic.
  --partition N        Its partition.
  --offset N           The source offset. It need not be there any more, nor ever have been a record's.
  --group NAME         In place of these three: all that this consumer group has committed at the source.
  --destination ALIAS  Needed where there are several.
  --json               One JSON object on stdout: {"source", "destination", "topic", "partition", "sourceOffset",
                       "destinationTopic", "destinationOffset", "kind", "copySourceOffset", "detail"}, with --group
                       {"source", "destination", "group", "partitions": [...]}; null is unknown.

KIND says what stands there:
  copy  the first copy at or after the source offset
  end   all copies are before it: the reader goes on behind the newest one
  none  there is no such place, most often because it is not mirrored yet; a line says why

--topic, --partition and --offset need no source: if it can't be reached, the destination alone answers.

Exits 0, and 1 where there is none (of a group: of at least one of its partitions).

Examples:
  farlog translate --topic orders --partition 3 --offset 182004
  farlog translate --group billing                    where would it go on?
  farlog translate --group billing --json | jq -r '.partitions[] | "\\(.destinationTopic):\\(.partition):\\(.destinationOffset)"'`,

  options: {
    topic: { type: 'string' },
    partition: { type: 'string' },
    offset: { type: 'string' },
    group: { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const { group } = values
    const position = group === undefined ? readPosition(values) : undefined
    if (group !== undefined && (values.topic ?? values.partition ?? values.offset) !== undefined) {
      throw new UsageError('--group stands alone: it takes the place of --topic, --partition and --offset')
    }
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const signal = new AbortController().signal
    await using translator = new FlowTranslator(config, flow)
    await translator.open(signal)
    const positions = position ? [position] : await translator.committedBy(group!, signal)
    if (positions.length === 0) {
      process.stderr.write(`farlog translate: group ${group} has committed nothing at ${flow.source.alias}\n`)
    }
    const translated = new Count('offsets translated')
    using progress = showProgress(env, translated.state)
    const rows = await translator.translateAll(positions, signal, translated.reached)
    progress.end()
    for (const { message } of translator.problems) process.stderr.write(`farlog translate: ${message}\n`)
    if (values.json) process.stdout.write(`${JSON.stringify(asJson(flow, group, rows), null, 2)}\n`)
    else if (rows.length > 0) process.stdout.write(asTable(flow, rows))
    for (const { detail } of rows) if (detail !== null) process.stderr.write(`farlog translate: ${detail}\n`)
    return rows.length > 0 && rows.every(({ kind }) => kind !== 'none') ? EXIT.ok : EXIT.failed
  }
})

interface Values {
  readonly topic?: string | undefined
  readonly partition?: string | undefined
  readonly offset?: string | undefined
}

function readPosition({ topic, partition, offset }: Values) {
  if (topic === undefined) throw new UsageError('--topic is needed: the name of the source topic; or --group')
  return {
    topic,
    partition: readNumber('--partition', partition),
    sourceOffset: readNumber('--offset', offset, 'a source offset')
  }
}

function asJson({ source, destination }: FlowConfig, group: string | undefined, rows: readonly TranslatedOffset[]) {
  const flow = { source: source.alias, destination: destination.alias }
  return group === undefined ? { ...flow, ...rows[0] } : { ...flow, group, partitions: rows }
}

function asTable({ source, destination }: FlowConfig, rows: readonly TranslatedOffset[]): string {
  const columns: Column[] = [
    { title: 'TOPIC', align: 'left' },
    { title: 'PARTITION', align: 'right' },
    { title: `OFFSET AT ${source.alias}`, align: 'right' },
    { title: 'DESTINATION', align: 'left' },
    { title: `OFFSET AT ${destination.alias}`, align: 'right' },
    { title: 'KIND', align: 'left' }
  ]
  const cells = rows.map(({ topic, partition, sourceOffset, destinationTopic, destinationOffset, kind }) =>
    [topic, partition, sourceOffset, destinationTopic ?? '-', destinationOffset ?? '-', kind].map(field => ({
      text: String(field)
    }))
  )
  return `${tableLines(columns, cells).join('\n')}\n`
}
