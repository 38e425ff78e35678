import { hostname, userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import { loadConfig } from '../config/load.ts'
import { start } from '../failover/failover.ts'
import { chooseFlow } from './choose-flows.ts'
import { type Command, EXIT } from './command.ts'

/** `farlog start`: takes back what `farlog failover` or `farlog stop` has ordered. */
export const command: Command = {
  name: 'start',
  summary: 'Let workers mirror a flow again that was stopped.',
  help: `A flow that 'farlog failover' or 'farlog stop' has stopped stays so, for every worker, until this. Workers that run go
on within some seconds, from where each partition stands: nothing is lost by it, and nothing copied twice.
Nothing else is undone: offsets that consumer groups were given stay as they are.

Options:
  --reason TEXT        Shown wherever the order is.
  --destination ALIAS  Needed where there are several.

Exits 0, also if the flow was not stopped; 1 if the order could not be written.

Examples:
  farlog status                     is it stopped, by whom, and why?
  farlog start --reason 'the drill is over'`,

  async run(args, env) {
    const { values } = parseArgs({ args, options: { reason: { type: 'string' }, destination: { type: 'string' } } })
    const config = loadConfig(env)
    const flow = chooseFlow(config, values.destination)
    const name = `${flow.source.alias} → ${flow.destination.alias}`
    const order = await start(config, flow, `${userInfo().username}@${hostname()}`, values.reason ?? 'farlog start')
    if (order === undefined) {
      process.stdout.write(`${name} is not stopped: nothing to do\n`)
    } else {
      const { orderedBy, orderedAt, reason } = order
      const at = new Date(orderedAt).toISOString()
      process.stdout.write(`${name} goes on; it was stopped by ${orderedBy} at ${at}: ${reason}\n`)
    }
    return EXIT.ok
  }
}
