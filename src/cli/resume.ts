import { loadConfig } from '../config/load.ts'
import { ResumeRefused, requestResume } from '../status/request-resume.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { readNumber } from './read-number.ts'
import { UsageError } from './usage-error.ts'
import { whoami } from './who.ts'

/** `farlog resume`: a person's decision about a partition that does not heal by itself. */
export const command = defineCommand({
  name: 'resume',
  summary: 'Let a partition go on whose source lost records.',
  help: `A partition halts when its source deleted records before they were mirrored (gap), when its topic was
made again (recreated), or when its log was cut back (diverged): going on would skip records or mix two
histories, so somebody has to say where. The decision is written to farlog.events.<source>.internal at the
destination; whichever worker owns the partition, now or later, obeys it once.

Options:
  --topic NAME         The source topic.
  --partition N        Its partition.
  --from WHERE         The next source offset to be mirrored: a number, earliest (what the source still has)
                       or latest (only what is written from now on).
  --destination ALIAS  Needed where there are several.
  --json               One JSON object on stdout: {"source", "destination", "topic", "partition", "nextSourceOffset",
                       "eventTopic", "eventOffset", "isObeyed"}. What is done meanwhile goes to stderr.

What lies before that offset and is not mirrored stays unmirrored; what is at the destination stays there.

Exits 0 once it is written, and 1 if it can't be, or if the partition is in no such trouble.

Examples:
  farlog status                                                      which partitions are in trouble?
  farlog resume --topic orders --partition 3 --from earliest         skip what is gone
  farlog resume --topic orders --partition 3 --from 182004`,

  options: {
    topic: { type: 'string' },
    partition: { type: 'string' },
    from: { type: 'string', completion: ['earliest', 'latest'] },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const { topic } = values
    if (topic === undefined) throw new UsageError('--topic is needed: the name of the source topic')
    const partition = readNumber('--partition', values.partition)
    const from =
      values.from === 'earliest' || values.from === 'latest'
        ? values.from
        : readNumber('--from', values.from, 'an offset, earliest or latest')
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const observer = whoami()
    const output = values.json ? process.stderr : process.stdout
    const say = (line: string) => output.write(`${line}\n`)
    try {
      const written = await requestResume({ config, flow, topic, partition, from, observer, say })
      if (values.json) {
        const { source, destination } = flow
        const done = { source: source.alias, destination: destination.alias, topic, partition, ...written }
        process.stdout.write(`${JSON.stringify(done, null, 2)}\n`)
      }
      return EXIT.ok
    } catch (error) {
      if (!(error instanceof ResumeRefused)) throw error
      process.stderr.write(`farlog resume: ${error.message}\n`)
      return EXIT.failed
    }
  }
})
