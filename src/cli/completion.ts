import { type Command, defineCommand, EXIT } from './command.ts'
import type { CommandEntry } from './commands.ts'
import { bashCompletion } from './completion-bash.ts'
import { fishCompletion } from './completion-fish.ts'
import { zshCompletion } from './completion-zsh.ts'

const SCRIPTS: Readonly<Record<string, (commands: readonly Command[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion
}

/** `farlog completion`: made from the table of commands, so that it knows what the parser knows. */
export const completionCommand = (all: readonly CommandEntry[]) =>
  defineCommand({
    name: 'completion',
    summary: 'Print a script that completes commands and options in a shell.',
    help: `SHELL is bash, zsh or fish. The script completes commands, their options, files, the choices of an option, and
after --destination the aliases in FARLOG_DESTINATIONS. Print it anew after an update of farlog.

Examples:
  farlog completion bash > ~/.local/share/bash-completion/completions/farlog
  source <(farlog completion bash)                 only in this shell
  farlog completion zsh > ~/.zfunc/_farlog         a folder that is in $fpath before compinit runs
  farlog completion fish > ~/.config/fish/completions/farlog.fish`,
    operand: { name: 'SHELL', choices: ['bash', 'zsh', 'fish'] },
    options: {},

    async run(_, _env, shell) {
      const commands = await Promise.all(all.map(async ({ load }) => (await load()).command))
      process.stdout.write(SCRIPTS[shell]!(commands))
      return EXIT.ok
    }
  })
