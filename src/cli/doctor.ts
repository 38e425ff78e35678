import { loadConfig } from '../config/load.ts'
import { examine } from '../doctor/doctor.ts'
import { findingLine, verdictLine } from '../doctor/finding-text.ts'
import { isColoured } from '../terminal/stream.ts'
import { defineCommand, EXIT } from './command.ts'
import { interruptible } from './interruptible.ts'

/** `farlog doctor`: what would be in a worker's way, before it is. */
export const command = defineCommand({
  name: 'doctor',
  summary: 'Check everything that a worker will need, and say what to fix.',
  help: `Connects to both sides with the configuration as it is, and says a line for each check: ok, warning or problem, and
what to do. It changes nothing at either side (but see --write-test). Checked are, in this order:
  configuration  it is valid (or else it exits 78, as every command)
  http           whether certificate and key can serve https, where they are given
  connection     DNS, TCP, TLS and authentication, at each bootstrap server and at every address that the brokers
                 advertise; certificates that end soon; passwords that are sent without TLS; whether group
                 membership gets in too
  versions       what Kafka it runs as, and whether it speaks what farlog needs
  clock          the controller's clock against the one here. Kafka tells its time nowhere else without being written to
  brokers        settings under which offsets or producer ids are forgotten too soon
  quotas         limits on reading from the source and writing to the destination
  buffers        whether they hold what is under way over this round trip
  machine        memory, open files and processors for FARLOG_THREADS
  cluster ids    source and destination are two clusters
  plan           what stands in the way by 'farlog plan': ACLs, names, what the destination would refuse
  topics         settings of copies that would make them refuse or change records
  lag            whether the source's retention is about to overtake the mirror
  link           how fast data of the selected topics can be read: at most 32 MiB or 3 s

What may not be asked (some questions need DESCRIBE or DESCRIBE_CONFIGS on the cluster, which a worker does not need)
is 'skipped' and says why.

Options:
  --write-test TOPIC  Also write random records to this topic of each destination, 33 MiB or 3 s at most, and tell how
                      fast that is. The topic has to be there, and keeps them: take one that is made for it.
  --json              One JSON object on stdout: {"verdict", "counts", "findings": [{"check", "level", "about",
                      "message", "remedy"}]}; "verdict" is "ok", "warnings" or "problems".

Exits 0 if there are no problems (warnings are none), and 1 otherwise.

Examples:
  farlog doctor                               is all well before the first start?
  farlog doctor --write-test farlog-doctor    and how fast can the destination be written to?
  farlog doctor --json | jq -r '.findings[] | select(.level == "problem") | .message'`,
  options: { 'write-test': { type: 'string' }, json: { type: 'boolean' } },

  async run(values, env) {
    const config = loadConfig(env)
    const coloured = isColoured(process.stdout, env)
    const options = { writeTestTopic: values['write-test'], signal: interruptible('') }
    const found = await examine(config, options, finding => {
      if (!values.json) process.stdout.write(findingLine(finding, coloured))
    })
    process.stdout.write(values.json ? `${JSON.stringify(found, null, 2)}\n` : `\n${verdictLine(found)}`)
    return found.verdict === 'problems' ? EXIT.failed : EXIT.ok
  }
})
