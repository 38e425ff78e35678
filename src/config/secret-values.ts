/**
 * The values of all secrets this process has come to know, so that none of them is ever written anywhere: a last line, behind
 * the rule that nothing which may hold one is logged. A library's error, or a broker's, could have one in it.
 */
import { inspect } from 'node:util'

/** Anything shorter would take words out of sentences. */
const LENGTH_MIN = 6
/** Of files that are rotated for ever, the last. */
const VALUES_MAX = 256

/** By age. */
const values = new Set<string>()
/** By length: one that is part of another must not leave the rest of that in the open. */
let longestFirst: readonly string[] = []

/** Remembers a secret, and gives it back. */
export function noteSecret(value: string): string {
  if (value.length < LENGTH_MIN) return value
  const isNew = !values.delete(value)
  values.add(value)
  if (values.size > VALUES_MAX) values.delete(values.values().next().value!)
  if (isNew) longestFirst = [...values].sort((a, b) => b.length - a.length)
  return value
}

/** The text without the secrets, also as JSON writes them. */
export function redactSecrets(text: string): string {
  let redacted = text
  for (const value of longestFirst) {
    redacted = redacted.replaceAll(value, '******')
    const escaped = JSON.stringify(value).slice(1, -1)
    if (escaped !== value) redacted = redacted.replaceAll(escaped, '******')
  }
  return redacted
}

/** What was thrown, as it may leave the thread or the process. */
export function withoutSecrets(thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error(inspect(thrown))
  error.message = redactSecrets(error.message)
  if (error.stack !== undefined) error.stack = redactSecrets(error.stack)
  return error
}
