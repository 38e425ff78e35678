/** What a person may be looking at: the part of a stream that says so. */
export interface TextStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  write(text: string): unknown
}

type Environment = Readonly<Record<string, string | undefined>>

/** Whether lines can be erased and drawn again: not in a file or a pipe, nor on a terminal that says it can't (`TERM=dumb`). */
export function canDraw(stream: Pick<TextStream, 'isTTY'>, env: Environment): boolean {
  return stream.isTTY === true && env.TERM !== 'dumb'
}

/** Whether colours are wanted. `NO_COLOR` says no wherever that is; `FORCE_COLOR` says yes where nobody would ask for any. */
export function isColoured(stream: Pick<TextStream, 'isTTY'>, env: Environment): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return canDraw(stream, env)
}
