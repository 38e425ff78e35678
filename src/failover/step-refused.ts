/** A step can't be done as things are; the message says why, in a sentence that names what would have to change. */
export class StepRefused extends Error {
  readonly code = 'STEP_REFUSED'

  constructor(message: string) {
    super(message)
    this.name = 'StepRefused'
  }
}

/** The first few of many, for a sentence. */
export function named(names: readonly string[], max = 5): string {
  const hidden = names.length - max
  return `${names.slice(0, max).join(', ')}${hidden > 0 ? ` and ${hidden} more` : ''}`
}
