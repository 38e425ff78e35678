import { formatProblem } from '../config/config-error.ts'
import { type ConfigDescription, configReference, describeConfig } from '../config/describe.ts'
import { defineCommand, EXIT } from './command.ts'
import { UsageError } from './usage-error.ts'

/** `farlog config`: shows what the environment comes to; connects to nothing. */
export const command = defineCommand({
  name: 'config',
  summary: 'Show the effective configuration and where it came from.',
  help: `Secrets are shown as ******. Exits 78 with a line for each problem if the configuration is wrong.

Options:
  --json      As JSON: {"variables": [{"variable", "value", "origin", "doc"}], "problems": [...]}
  --markdown  The reference of all variables as a Markdown table; needs no configuration.

Examples:
  farlog config                                   what would a worker run with here?
  farlog config --json | jq '.problems'           what is wrong, for a script
  farlog config --markdown > configuration.md     the reference`,

  options: { json: { type: 'boolean' }, markdown: { type: 'boolean' } },

  async run(values, env) {
    if (values.json && values.markdown) throw new UsageError('--json and --markdown exclude each other')
    if (values.markdown) {
      process.stdout.write(configReference())
      return EXIT.ok
    }
    const description = describeConfig(env)
    process.stdout.write(values.json ? `${JSON.stringify(description, null, 2)}\n` : asTable(description))
    for (const problem of description.problems) process.stderr.write(`${formatProblem(problem)}\n`)
    return description.problems.length === 0 ? EXIT.ok : EXIT.config
  }
})

/** The doc goes on a line of its own: next to long values no terminal is wide enough. */
function asTable({ variables }: ConfigDescription): string {
  const nameWidth = Math.max(...variables.map(({ variable }) => variable.length))
  return variables
    .map(({ variable, value, origin, doc }) => {
      const shown = value ?? '(not set)'
      return `${variable.padEnd(nameWidth)} = ${shown}  [${origin}]\n    ${doc}\n`
    })
    .join('')
}
