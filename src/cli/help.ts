import type { Command } from './command.ts'
import { COMMANDS } from './commands.ts'

/** What `farlog --help` prints. */
export function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length))
  const rows = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  return `Asynchronous replication of Apache Kafka topics to other datacenters.

Usage: farlog COMMAND [OPTIONS]

Commands:
${rows.join('\n')}

Options:
  --help, -h  Show this, or after a command its options and examples (also: farlog help COMMAND).
  --version   Show the version.

Everything is configured by environment variables; \`farlog config --markdown\` lists them.

Example: mirror every topic of one cluster to another
  FARLOG_SOURCE=east FARLOG_EAST_BOOTSTRAP_SERVERS=east-1:9092 \\
  FARLOG_DESTINATIONS=west FARLOG_WEST_BOOTSTRAP_SERVERS=west-1:9092 farlog run
`
}

/** What `farlog COMMAND --help` prints. */
export function commandHelp({ name, summary, help, operand }: Command): string {
  const usage = ['farlog', name, ...(operand === undefined ? [] : [operand.name]), '[OPTIONS]'].join(' ')
  return `${summary}\n\nUsage: ${usage}\n\n${help.trim()}\n`
}
