/** A line that tells of a step, out of so many. */
export function stepLine<Step extends string>(steps: readonly Step[], step: Step, what: string): string {
  const width = Math.max(...steps.map(({ length }) => length))
  return `${steps.indexOf(step) + 1}/${steps.length}  ${step.padEnd(width)}  ${what}\n`
}
