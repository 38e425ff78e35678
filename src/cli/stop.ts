import { loadConfig } from '../config/load.ts'
import { stopAt } from '../failover/failover.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { UsageError } from './usage-error.ts'
import { whoami } from './who.ts'

/** With the zone: a time of somebody else's day is a wrong one. */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/

/** `farlog stop --at`: a copy that is kept behind goes on up to a time, and no further. */
export const command = defineCommand({
  name: 'stop',
  summary: 'Let a delayed copy go on up to a time, and no further.',
  help: `For a flow that is kept behind (FARLOG_DELAY), when something bad was written to the source: what came there before
the time is copied as ever, what came then or later is not, by any worker, until 'farlog start'. Each partition stands
still when it gets there. What a worker saw arriving counts from then; what was there before counts by its timestamp.

The time must not lie back further than the delay: what is copied stays. To stop at once, use 'farlog failover'.

Options:
  --at TIME            Required. ISO 8601 with the zone, as 2026-03-01T14:03:00Z or 2026-03-01T15:03:00+01:00.
  --reason TEXT        Shown wherever the order is.
  --destination ALIAS  Needed where there are several.
  --json               One JSON object on stdout: {"source", "destination", "stopAt"}.

Exits 0 once the order is written; 1 if it could not be, or the time has passed.

Examples:
  farlog stop --at 2026-03-01T14:03:00Z --reason 'bad deployment of billing'
  farlog status                     how far is it?
  farlog start                      it may go on after all`,

  options: {
    at: { type: 'string' },
    reason: { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    if (values.at === undefined) throw new UsageError('--at is needed: the time up to which the copy may go on')
    const time = readTime(values.at)
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const orderedBy = whoami()
    await stopAt(config, flow, { stopAt: time, orderedBy, reason: values.reason ?? 'farlog stop' })
    const at = new Date(time).toISOString()
    const [source, destination] = [flow.source.alias, flow.destination.alias]
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ source, destination, stopAt: at }, null, 2)}\n`
        : `${source} → ${destination} copies what came to ${source} before ${at}, and nothing else until farlog start\n`
    )
    return EXIT.ok
  }
})

function readTime(text: string): number {
  const time = ISO_TIME.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) {
    throw new UsageError(`--at: "${text}" is not a time with its zone; write it as 2026-03-01T14:03:00Z`)
  }
  return time
}
