/**
 * The tables of docs/metrics.md, made from the code and from the rules: `node test/monitoring/metrics-reference.ts` prints them,
 * each under the name of the marks that it stands between.
 */
import { METRICS, type MetricDeclaration } from '../../src/observe/metric-table.ts'
import { readRules } from './support/rules.ts'

/** Each table of the page by the name in its marks. */
export function referenceTables(): Record<string, string> {
  return { metrics: metricsTable(), records: recordsTable() }
}

function metricsTable(): string {
  const rows = Object.values<MetricDeclaration>(METRICS).map(({ name, type, labels, values, help }) => {
    const own = labels.map(label => `\`${label}\``).join(', ')
    const known =
      values === undefined ? '' : ` \`${labels.at(-1)}\`: ${values.map(value => `\`${value}\``).join(', ')}.`
    return `| \`${name}\` | ${type} | ${own} | ${help}${known} |\n`
  })
  return `| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join('')}`
}

function recordsTable(): string {
  const { records } = readRules()
  // The pipe ends a cell of a table, and no expression has one.
  const rows = records.map(({ record, expr }) => `| \`${record}\` | \`${expr.replaceAll(/\s+/g, ' ')}\` |\n`)
  return `| recorded as | is |\n| --- | --- |\n${rows.join('')}`
}

if (import.meta.main) {
  for (const [name, table] of Object.entries(referenceTables())) {
    process.stdout.write(`<!-- ${name}:begin -->\n${table}<!-- ${name}:end -->\n\n`)
  }
}
