import { loadConfig } from '../config/load.ts'
import { start } from '../failover/failover.ts'
import { chooseFlow } from './choose-flows.ts'
import { defineCommand, EXIT } from './command.ts'
import { whoami } from './who.ts'

/** `farlog start`: takes back what `farlog failover` or `farlog stop` has ordered. */
export const command = defineCommand({
  name: 'start',
  summary: 'Let workers mirror a flow again that was stopped.',
  help: `A flow that 'farlog failover' or 'farlog stop' has stopped stays so, for every worker, until this. Workers that run go
on within some seconds, from where each partition stands: nothing is lost by it, and nothing copied twice.
Nothing else is undone: offsets that consumer groups were given stay as they are.

Options:
  --reason TEXT        Shown wherever the order is.
  --destination ALIAS  Needed where there are several.
  --json               One JSON object on stdout: {"source", "destination", "stopped": {"stoppedBy", "stoppedAt",
                       "reason"}}, the order that was taken back; null if the flow was not stopped.

Exits 0, also if the flow was not stopped; 1 if the order could not be written.

Examples:
  farlog status                     is it stopped, by whom, and why?
  farlog start --reason 'the drill is over'`,

  options: {
    reason: { type: 'string' },
    destination: { type: 'string', completion: 'destination' },
    json: { type: 'boolean' }
  },

  async run(values, env) {
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const name = `${flow.source.alias} → ${flow.destination.alias}`
    const order = await start(config, flow, whoami(), values.reason ?? 'farlog start')
    const at = order === undefined ? null : new Date(order.orderedAt).toISOString()
    if (values.json) {
      const stopped = order === undefined ? null : { stoppedBy: order.orderedBy, stoppedAt: at, reason: order.reason }
      const flowNames = { source: flow.source.alias, destination: flow.destination.alias }
      process.stdout.write(`${JSON.stringify({ ...flowNames, stopped }, null, 2)}\n`)
    } else if (order === undefined) {
      process.stdout.write(`${name} is not stopped: nothing to do\n`)
    } else {
      process.stdout.write(`${name} goes on; it was stopped by ${order.orderedBy} at ${at}: ${order.reason}\n`)
    }
    return EXIT.ok
  }
})
