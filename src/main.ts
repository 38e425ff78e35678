import { writeSync } from 'node:fs'
import { runCli } from './cli/cli.ts'
import { redactSecrets, withoutSecrets } from './config/secret-values.ts'

/** As the shell reports a process that wrote into a closed pipe: 0 would claim a success nobody got to see. */
const EXIT_BROKEN_PIPE = 141

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT_BROKEN_PIPE)
})

// Nobody reads the complaints: no reason to stop, and nowhere to say so.
process.stderr.on('error', () => {})

// A bug ends the process as it would without this, but what is printed of it may be in a bug report the next day.
process.on('uncaughtException', error => {
  try {
    writeSync(process.stderr.fd, `${withoutSecrets(error).stack}\n`)
  } finally {
    process.exit(1)
  }
})

// Whoever complains. What commands answer on stdout is left as it is: a password may look like an offset, or like a topic's name.
const complain = process.stderr.write.bind(process.stderr) as (chunk: unknown, ...more: unknown[]) => boolean
process.stderr.write = (chunk: unknown, ...more: unknown[]) =>
  complain(typeof chunk === 'string' ? redactSecrets(chunk) : chunk, ...more)

process.exitCode = await runCli(process.argv.slice(2), process.env, {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text)
})
