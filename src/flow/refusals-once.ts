/**
 * One line for each way in which a cluster and we do not accept each other. Every partition, the topic catalog, the group
 * and the checkpoints meet the same refusal, each at every attempt: nobody would find the first line among the others.
 */
import { refusalIn } from '../cluster/refusal.ts'
import type { LogSink } from './flow-context.ts'

/** What lasts is said again after this. */
const REPEAT_INTERVAL_MS = 10 * 60_000
/** Well above the longest pause between two attempts: what was not met for so long has passed, and would be news. */
const SETTLED_AFTER_MS = 60_000

/** Passes every line on; one whose `error` is a refusal that has been told lately as `debug`. */
export function sayRefusalsOnce(log: LogSink, nowMs: () => number = () => performance.now()): LogSink {
  // There are as many as there are sentences and clusters: a few.
  const told = new Map<string, { saidAtMs: number; metAtMs: number }>()
  return (level, message, fields) => {
    const refusal = typeof fields.error === 'string' && level !== 'debug' ? refusalIn(fields.error) : undefined
    if (refusal === undefined) {
      log(level, message, fields)
      return
    }
    const now = nowMs()
    const last = told.get(refusal)
    const isNews =
      last === undefined || now - last.metAtMs > SETTLED_AFTER_MS || now - last.saidAtMs > REPEAT_INTERVAL_MS
    told.set(refusal, { saidAtMs: isNews ? now : last.saidAtMs, metAtMs: now })
    log(isNews ? level : 'debug', message, fields)
  }
}
