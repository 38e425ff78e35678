/** What a person reads of a switchover. */
import { groupLines } from './failover-text.ts'
import type { SwitchoverReport } from './switchover-report.ts'

/** Warnings, the groups, and in a sentence what it came to. */
export function switchoverText(report: SwitchoverReport): string {
  const { warnings, groups } = report
  const lines = [
    ...warnings.map(warning => `! ${warning}`),
    ...(groups.length === 0 ? [] : groupLines(groups)),
    ...(warnings.length + groups.length === 0 ? [] : ['']),
    ...conclusion(report)
  ]
  return `${lines.join('\n')}\n`
}

function conclusion({ source, destination, outcome, problems, isDryRun }: SwitchoverReport): string[] {
  const reasons = problems.map(({ step, problem }) => `  ${step}: ${problem}`)
  switch (outcome) {
    case 'switched over':
      return [
        `Writers and readers can go to ${destination} now. Nothing is lost, and what is written there comes back to ${source}.`
      ]
    case 'ready':
      return ['Nothing stands in the way. This was a dry run: nothing has been changed.']
    case 'refused':
      return [
        isDryRun
          ? 'In the way stands, as of now (nothing has been changed):'
          : `Not done. Both sides are as they were: ${source} → ${destination} is mirrored, and writers stay at ${source}.`,
        ...reasons
      ]
    case 'stuck':
      return [`Not done, and not undone: ${source} → ${destination} may stand still.`, ...reasons]
  }
}
