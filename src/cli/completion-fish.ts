import type { Command, Completion } from './command.ts'

/** A line for each command and each option, as fish has it. */
export function fishCompletion(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name)
  return `# fish completion of farlog; made by: farlog completion fish
complete -c farlog -f
${commands.map(({ name, summary }) => `complete -c farlog -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`).join('\n')}
complete -c farlog -n __fish_use_subcommand -a help -d 'Show the options and examples of a command.'
complete -c farlog -n __fish_use_subcommand -l version
complete -c farlog -l help
complete -c farlog -n '__fish_seen_subcommand_from help' -a ${quoted(names.join(' '))}
${commands.flatMap(optionLines).join('\n')}
`
}

function optionLines({ name, options, operand }: Command): string[] {
  const line = `complete -c farlog -n '__fish_seen_subcommand_from ${name}'`
  return [
    ...(operand === undefined ? [] : [`${line} -a ${quoted(operand.choices.join(' '))}`]),
    ...Object.entries(options).map(([option, { type, completion }]) =>
      type === 'boolean' ? `${line} -l ${option}` : `${line} -l ${option} ${following(completion)}`
    )
  ]
}

/** `-x`: it needs a value, and that is no file; `-r -F`: it is one. */
function following(completion: Completion | undefined): string {
  if (completion === undefined) return '-x'
  if (completion === 'file') return '-r -F'
  if (completion === 'destination') return `-x -a '(string split , "$FARLOG_DESTINATIONS")'`
  return `-x -a ${quoted(completion.join(' '))}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`
}
