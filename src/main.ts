import { runCli } from './cli/cli.ts'

/** As the shell reports a process that wrote into a closed pipe: 0 would claim a success nobody got to see. */
const EXIT_BROKEN_PIPE = 141

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT_BROKEN_PIPE)
})

// Nobody reads the complaints: no reason to stop, and nowhere to say so.
process.stderr.on('error', () => {})

process.exitCode = await runCli(process.argv.slice(2), process.env, {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text)
})
