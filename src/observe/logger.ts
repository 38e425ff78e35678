import { destination as fileDescriptor, type Logger, pino, stdTimeFunctions } from 'pino'
import { redactSecrets } from '../config/secret-values.ts'
import { prettyLine } from './pretty-line.ts'

export type { Logger } from 'pino'

export interface LoggerOptions {
  readonly level: string
  readonly format: 'json' | 'pretty'
  /** One-shot commands log to `stderr`: their `stdout` is the answer. */
  readonly stream?: 'stdout' | 'stderr'
}

/** Anything that takes finished lines. */
export interface LineSink {
  write(line: string): unknown
}

/** A logger of one line per event: JSON for machines, or `pretty` for a person. `sink` replaces the stream. */
export function createLogger({ level, format, stream = 'stdout' }: LoggerOptions, sink?: LineSink): Logger {
  // pino's own destination goes on silently when its reader is gone: a worker must not die of a closed pipe.
  const lines = sink ?? fileDescriptor({ fd: stream === 'stdout' ? 1 : 2, sync: true })
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) }
  }
  const write = (line: string) => void lines.write(redactSecrets(line))
  if (format === 'json') return pino(options, { write })
  const isColoured = sink === undefined && process[stream].isTTY === true && !process.env.NO_COLOR
  return pino(options, { write: line => write(prettyLine(line, isColoured)) })
}
