import type { Command, Completion } from './command.ts'

/** For bash 4 and newer, which has `mapfile` and `compopt`. */
export function bashCompletion(commands: readonly Command[]): string {
  return `# bash completion of farlog; made by: farlog completion bash
_farlog() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" command="\${COMP_WORDS[1]}"
  local words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${[...commands.map(({ name }) => name), 'help', '--help', '--version'].join(' ')}'
  else
    case "$command $previous" in
${valueCases(commands).join('\n')}
    esac
    case "$command" in
${commands.map(optionCase).join('\n')}
      help) words='${commands.map(({ name }) => name).join(' ')}' ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _farlog farlog
`
}

function optionCase({ name, options, operand }: Command): string {
  const words = [...(operand?.choices ?? []), ...Object.keys(options).map(option => `--${option}`), '--help']
  return `      ${name}) words='${words.join(' ')}' ;;`
}

/** What comes after an option that takes a value is no option. Options that are followed by the same share a case. */
function valueCases(commands: readonly Command[]): string[] {
  const options = commands.flatMap(({ name, options }) =>
    Object.entries(options)
      .filter(([, { type }]) => type === 'string')
      .map(([option, { completion }]) => ({ pattern: `'${name} --${option}'`, reply: reply(completion) }))
  )
  return [...Map.groupBy(options, option => option.reply)].map(
    ([reply, alike]) => `      ${alike.map(({ pattern }) => pattern).join(' | ')})\n        ${reply}return ;;`
  )
}

function reply(completion: Completion | undefined): string {
  if (completion === undefined) return ''
  if (completion === 'file') return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); '
  // biome-ignore lint/suspicious/noTemplateCurlyInString: bash's own
  const words = completion === 'destination' ? '"${FARLOG_DESTINATIONS//,/ }"' : `'${completion.join(' ')}'`
  return `mapfile -t COMPREPLY < <(compgen -W ${words} -- "$current"); `
}
