import { loadConfig } from '../config/load.ts'
import { ImportRefused, importFlow } from '../import/import-flow.ts'
import { importText } from '../import/import-text.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { readPatterns } from './patterns.ts'
import { Count, showProgress } from './progress.ts'

/** `farlog import-mm2`: a worker that starts after it goes on where MirrorMaker 2 stopped. */
export const command = defineCommand({
  name: 'import-mm2',
  summary: 'Take over from a stopped MirrorMaker 2, exactly where it stopped.',
  help: `Finds out how far MirrorMaker 2 has got in each partition, and commits that as farlog's progress: to the
group at the source, and to the group of the same name at the destination. A worker that is started after it goes on
from there. MirrorMaker 2 and farlog's workers must be stopped.

MirrorMaker 2 flushes its positions now and then, so that a killed one has copied more than they say. The
exact place is found by comparing the two logs, from an offset that MirrorMaker 2 has written down for both: each copy must be equal to
the next source record (key, value, headers, timestamp). Copies that it wrote twice after a crash are recognised.

Configure the aliases, FARLOG_REPLICATION_POLICY and its separator as they were configured for MirrorMaker 2.

Options:
  --dry-run             Show what would be committed, commit nothing.
  --topics PATTERNS     Only these of the configured topics: comma-separated regular expressions that match
                        the whole name of the source topic.
  --destination ALIAS   Needed where there are several.
  --overwrite           Also partitions that farlog has progress of.
  --from-positions      Where the logs do not tell the exact place, take MirrorMaker 2's position: what it copied
                        beyond that is copied again.
  --offsets-topic NAME  Where MirrorMaker 2 runs in a Kafka Connect cluster: that cluster's offset.storage.topic.
                        Otherwise it is mm2-offsets.<source>.internal.
  --assume-stopped      Pass over MirrorMaker 2's group and heartbeats, which may be another flow's. Copies that
                        appear meanwhile are refused all the same.
  --json                One JSON object on stdout: {"source", "destination", "groupId", "isCommitted",
                        "partitions": [{"topic", "partition", "destinationTopic", "mirrorMakerNextOffset",
                        "nextSourceOffset", "destinationEndOffset", "result", "detail"}]}

What the column RESULT says:
  exact      the logs tell the place
  position   MirrorMaker 2's position was taken (--from-positions)
  untouched  MirrorMaker 2 has copied nothing of it; FARLOG_START says where it starts
  kept       farlog has progress of it already
  refused    the place can't be told, and nothing is committed for the partition

Exits 0, or 1 if a partition was refused or nothing can be taken over at present.

Examples:
  farlog import-mm2 --dry-run         what would be taken over?
  farlog import-mm2 && farlog run     take over
  farlog import-mm2 --json | jq '.partitions[] | select(.result == "refused")'`,

  options: {
    'dry-run': { type: 'boolean' },
    topics: { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    overwrite: { type: 'boolean' },
    'from-positions': { type: 'boolean' },
    'offsets-topic': { type: 'string' },
    'assume-stopped': { type: 'boolean' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const topics = readPatterns(values.topics)
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const looked = new Count('partitions compared')
    using progress = showProgress(env, looked.state)
    try {
      const report = await importFlow(config, flow, {
        topics,
        offsetsTopic: values['offsets-topic'],
        isDryRun: values['dry-run'],
        overwrites: values.overwrite,
        takesPositions: values['from-positions'],
        assumesStopped: values['assume-stopped'],
        onLooked: looked.reached
      })
      progress.end()
      process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : importText(report))
      return report.partitions.some(({ result }) => result === 'refused') ? EXIT.failed : EXIT.ok
    } catch (error) {
      if (!(error instanceof ImportRefused)) throw error
      progress.end()
      process.stderr.write(`farlog import-mm2: ${error.message}\n`)
      return EXIT.failed
    }
  }
})
