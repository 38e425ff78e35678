import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js'
import type { NameFilter } from './types.ts'

/**
 * Whether a topic or group name is taken: matched whole, by at least one of `include` and none of `exclude`.
 * Expects patterns that `loadConfig` accepted.
 */
export function compileNameFilter(filter: NameFilter): (name: string) => boolean {
  const include = filter.include.map(pattern => RE2JS.compile(pattern))
  const exclude = filter.exclude.map(pattern => RE2JS.compile(pattern))
  return name => include.some(regex => regex.testExact(name)) && !exclude.some(regex => regex.testExact(name))
}

/** MirrorMaker 2's topic for heartbeats. */
export const HEARTBEATS_TOPIC = 'heartbeats'

/** Whether a topic only holds the heartbeats of flows: those are sent, and a topic of this name is taken for theirs. */
export function isHeartbeatProbe({ heartbeatIntervalMs }: HeartbeatConfig, topic: string): boolean {
  return heartbeatIntervalMs > 0 && topic === HEARTBEATS_TOPIC
}

interface HeartbeatConfig {
  readonly heartbeatIntervalMs: number
}

/**
 * Whether a topic is to be mirrored as far as its name says. Heartbeats are, whatever else is selected (as MirrorMaker 2 does it),
 * while they are sent and not excluded by name.
 */
export function compileTopicFilter(
  config: HeartbeatConfig & { readonly topics: NameFilter }
): (topic: string) => boolean {
  const isSelected = compileNameFilter(config.topics)
  const heartbeats = compileNameFilter({ include: [HEARTBEATS_TOPIC], exclude: config.topics.exclude })
  return topic => isSelected(topic) || (isHeartbeatProbe(config, topic) && heartbeats(topic))
}

/**
 * What is wrong with a regular expression, or `undefined`. RE2's dialect on purpose: it matches in linear time, so no
 * pattern and no topic name can hang the worker; the price is that look-around and back-references do not exist.
 */
export function patternProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern)
    return undefined
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    if (!(error instanceof RE2JSSyntaxException)) return error.message
    const found = error.getPattern() ?? ''
    if (/^\(\?(=|!|<=|<!|>)/.test(found))
      return `\`${found}\` is look-around or atomic grouping, which is not supported`
    if (/^\\(\d|k)/.test(found)) return `\`${found}\` is a back-reference, which is not supported`
    return `${error.getDescription()}: \`${found}\``
  }
}

/**
 * The patterns of a comma-separated list. A comma within `{}` or `[]`, or after a backslash, belongs to the pattern
 * (`a{1,3}`, `[,;]`, `\,`). Blanks around a pattern and empty patterns are dropped.
 */
export function splitPatterns(text: string): string[] {
  const patterns: string[] = []
  let start = 0
  let at = 0
  while (at < text.length) {
    if (text[at] === ',') {
      patterns.push(text.slice(start, at))
      start = ++at
    } else {
      at = endOfElement(text, at)
    }
  }
  patterns.push(text.slice(start))
  return patterns.map(pattern => pattern.trim()).filter(pattern => pattern !== '')
}

/** Where the escape, character class, `{…}` or plain character that begins at `at` ends. */
function endOfElement(text: string, at: number): number {
  if (text[at] === '\\') return at + 2
  if (text[at] === '[') return endOfClass(text, at)
  if (text[at] === '{') {
    const close = text.indexOf('}', at)
    return close === -1 ? at + 1 : close + 1
  }
  return at + 1
}

function endOfClass(text: string, open: number): number {
  let at = open + 1
  if (text[at] === '^') at++
  // A bracket that comes first stands for itself: `[],]` holds a bracket and a comma.
  if (text[at] === ']') at++
  while (at < text.length && text[at] !== ']') {
    const named = text.startsWith('[:', at) ? text.indexOf(':]', at) : -1
    if (named !== -1) at = named + 2
    else at += text[at] === '\\' ? 2 : 1
  }
  return at + 1
}
