const COLOUR_PER_LEVEL: Record<string, number> = { trace: 90, debug: 36, info: 32, warn: 33, error: 31, fatal: 35 }

/**
 * A JSON log line as a person reads it: local time, level, message, then the rest as `name=value`; a stack on lines of
 * its own.
 */
export function prettyLine(line: string, isColoured: boolean): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line)
  const paint = (code: number, text: string): string => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text)
  const rest = Object.entries(fields).map(([name, value]) => paint(90, `${name}=${fieldValue(value)}`))
  if (err !== undefined && err.message !== msg) rest.push(paint(31, `error=${fieldValue(err.message)}`))
  const head = [
    paint(90, clockTime(time)),
    paint(COLOUR_PER_LEVEL[level] ?? 0, String(level).toUpperCase().padEnd(5)),
    ...(msg === undefined ? [] : [msg]),
    ...rest
  ]
  return `${head.join(' ')}\n${err?.stack === undefined ? '' : `${paint(90, indent(err.stack))}\n`}`
}

function clockTime(isoTime: string): string {
  const time = new Date(isoTime)
  const pad = (value: number, width: number): string => String(value).padStart(width, '0')
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(value => pad(value, 2)).join(':')
  return `${clock}.${pad(time.getMilliseconds(), 3)}`
}

function fieldValue(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
