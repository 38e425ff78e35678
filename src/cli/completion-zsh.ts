import type { Command, Completion } from './command.ts'

/** As `_arguments` wants it: an option with what follows it. */
export function zshCompletion(commands: readonly Command[]): string {
  return `#compdef farlog
# zsh completion of farlog; made by: farlog completion zsh
_farlog_destinations() {
  local -a aliases=(\${(s:,:)FARLOG_DESTINATIONS})
  compadd -a aliases
}

_farlog() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
    'help:Show the options and examples of a command.'
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    compadd -- --help --version
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(commandCase).join('\n')}
    help) compadd -- ${commands.map(({ name }) => name).join(' ')} ;;
  esac
}

if [ "$funcstack[1]" = _farlog ]; then
  _farlog "$@"
else
  compdef _farlog farlog
fi
`
}

function commandCase({ name, options, operand }: Command): string {
  const specs = [
    ...(operand === undefined ? [] : [`1:${operand.name}:(${operand.choices.join(' ')})`]),
    ...Object.entries(options).map(([option, { type, completion }]) =>
      type === 'boolean' ? `--${option}` : `--${option}=:${option}:${action(completion)}`
    ),
    '--help'
  ]
  return `    ${name}) _arguments ${specs.map(quoted).join(' ')} ;;`
}

function action(completion: Completion | undefined): string {
  if (completion === undefined) return ' '
  if (completion === 'file') return '_files'
  return completion === 'destination' ? '_farlog_destinations' : `(${completion.join(' ')})`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
