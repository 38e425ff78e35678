/** What `farlog doctor` finds. `farlog doctor --json` prints it as it is. */

/** `skipped`: it could not be found out, and the message says why. */
export const LEVELS = ['problem', 'warning', 'skipped', 'ok'] as const
export type Level = (typeof LEVELS)[number]

/** The checks, in the order they are made. Those from the connection to the buffers are made of one cluster after the other. */
export const CHECKS = [
  'configuration',
  'http',
  'connection',
  'versions',
  'clock',
  'brokers',
  'quotas',
  'buffers',
  'machine',
  'cluster ids',
  'plan',
  'topics',
  'lag',
  'link'
] as const
export type Check = (typeof CHECKS)[number]

export interface Finding {
  readonly check: Check
  readonly level: Level
  /** Alias of the cluster, or `source → destination` of the flow; `null` where it is about neither. */
  readonly about: string | null
  /** What was found, in a sentence. */
  readonly message: string
  /** What to do about it; `null` where there is nothing to do. */
  readonly remedy: string | null
}

/** Hears of each finding as it is made. */
export type Tell = (finding: Finding) => void

export interface Examination {
  readonly verdict: 'ok' | 'warnings' | 'problems'
  readonly counts: Readonly<Record<Level, number>>
  readonly findings: readonly Finding[]
}

/** What the findings come to. */
export function examination(findings: readonly Finding[]): Examination {
  const counts = Object.fromEntries(
    LEVELS.map(level => [level, findings.filter(finding => finding.level === level).length])
  ) as Record<Level, number>
  const verdict = counts.problem > 0 ? 'problems' : counts.warning > 0 ? 'warnings' : 'ok'
  return { verdict, counts, findings }
}

/** Findings of one check about one side. */
export class Notes {
  readonly #check: Check
  readonly #about: string | null
  readonly #tell: Tell

  constructor(check: Check, about: string | null, tell: Tell) {
    this.#check = check
    this.#about = about
    this.#tell = tell
  }

  ok(message: string): void {
    this.#note('ok', message, null)
  }

  warning(message: string, remedy: string): void {
    this.#note('warning', message, remedy)
  }

  problem(message: string, remedy: string | null): void {
    this.#note('problem', message, remedy)
  }

  skipped(message: string, remedy: string | null = null): void {
    this.#note('skipped', message, remedy)
  }

  #note(level: Level, message: string, remedy: string | null): void {
    this.#tell({ check: this.#check, level, about: this.#about, message, remedy })
  }
}

const LISTED_MAX = 3

/** `a, b, c and 12 more`. */
export function listed(names: readonly string[]): string {
  const more = names.length - LISTED_MAX
  return names.slice(0, LISTED_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
