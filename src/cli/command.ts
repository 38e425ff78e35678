import { parseOptions } from './parse-options.ts'

/** What may follow an option or stand as an operand, for shells that complete it. */
export type Completion = 'file' | 'destination' | readonly string[]

/** An option as the parser and the shells know it; its sentence stands in the command's help. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  readonly default?: string
  readonly completion?: Completion
}

/** By name, without the dashes. */
export type OptionTable = Readonly<Record<string, OptionSpec>>

/** What was given: an option without a value is `false` where it was not. */
export type OptionValues<Options extends OptionTable> = {
  readonly [Name in keyof Options]: Options[Name]['type'] extends 'boolean'
    ? boolean
    : Options[Name] extends { readonly default: string }
      ? string
      : string | undefined
}

/** A word that has to follow the command. */
export interface Operand {
  /** As the usage line has it. */
  readonly name: string
  readonly choices: readonly string[]
}

interface CommandTexts {
  readonly name: string
  /** What it does, in a few words. */
  readonly summary: string
  /** What `--help` prints below the usage line: the options and examples. */
  readonly help: string
  readonly operand?: Operand
}

/** One farlog command, as its file exports it under the name `command`. */
export interface Command extends CommandTexts {
  readonly options: OptionTable
  /** Resolves to the exit code. `args` is what follows the command's name. @throws UsageError for what it does not know */
  run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number>
}

/** A command by what it does with its options: they are parsed for it. */
export interface CommandDefinition<Options extends OptionTable> extends CommandTexts {
  readonly options: Options
  /** @param operand empty where the command has none */
  run(values: OptionValues<Options>, env: NodeJS.ProcessEnv, operand: string): Promise<number>
}

export function defineCommand<const Options extends OptionTable>(definition: CommandDefinition<Options>): Command {
  return {
    ...definition,
    run: (args, env) => {
      const { values, operand } = parseOptions(definition, args)
      return definition.run(values as OptionValues<Options>, env, operand)
    }
  }
}

/** Exit codes that mean the same whatever the command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, config: 78 } as const
