import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { PROJECT_DIR } from '../../support/java.ts'

/** A rule that records the value of an expression under a name. */
export interface RecordingRule {
  readonly record: string
  readonly expr: string
}

/** A rule that somebody is woken up by. */
export interface AlertingRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** The rules that are shipped. */
export const RULES_FILE = join(PROJECT_DIR, 'deploy/prometheus/rules/farlog.yaml')

/** All rules of the file, in its order. */
export function readRules(): { readonly records: readonly RecordingRule[]; readonly alerts: readonly AlertingRule[] } {
  const { groups } = parse(readFileSync(RULES_FILE, 'utf8')) as {
    groups: { rules: (RecordingRule | AlertingRule)[] }[]
  }
  const rules = groups.flatMap(group => group.rules)
  return {
    records: rules.filter(rule => 'record' in rule),
    alerts: rules.filter(rule => 'alert' in rule)
  }
}
