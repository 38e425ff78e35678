import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { PROJECT_DIR } from '../support/java.ts'
import { runToEnd } from '../support/run-to-end.ts'
import { RULES_FILE, readRules } from './support/rules.ts'

interface RuleTests {
  readonly tests: readonly {
    readonly name: string
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[]
  }[]
}

const CASES_FILE = join(import.meta.dirname, 'alerts.yaml')
const { alerts } = readRules()
const names = alerts.map(({ alert }) => alert)

describe('the rules for Prometheus', function () {
  // Prometheus' own tool goes through an hour of some cases, step by step.
  this.timeout(180_000)

  it('are rules', async () => {
    await runToEnd(['promtool', 'check', 'rules', '--lint=all', '--lint-fatal', RULES_FILE])
  })

  it('fire when they have to, and are quiet when they must be', async () => {
    await runToEnd(['promtool', 'test', 'rules', CASES_FILE])
  })

  it('have a case of both kinds for each alert', () => {
    const { tests } = parse(readFileSync(CASES_FILE, 'utf8')) as RuleTests
    const tried = (isFiring: boolean) =>
      names.filter(name =>
        tests.some(({ alert_rule_test }) => {
          const looks = alert_rule_test.filter(({ alertname }) => alertname === name)
          return looks.length > 0 && looks.some(({ exp_alerts }) => exp_alerts.length > 0) === isFiring
        })
      )
    assert.deepEqual({ firing: tried(true), quiet: tried(false) }, { firing: names, quiet: names })
  })

  for (const { alert, labels, annotations } of alerts) {
    it(`say of ${alert} how bad it is, what it means, and where to read on`, () => {
      assert.match(labels.severity ?? '', /^(critical|warning|info)$/)
      for (const text of [annotations.summary, annotations.impact]) assert.match(text ?? '', /^.{10,}\.$/)
      const [page, anchor] = annotations.runbook_url!.split('#')
      assert.ok(anchorsOf(page!).includes(anchor!), `${page} has a heading for #${anchor}`)
    })
  }

  it('are each a section of the page about alerts, in the same order', () => {
    const sections = readFileSync(join(PROJECT_DIR, 'docs/alerts.md'), 'utf8').matchAll(/^### (\w+)$/gm)
    assert.deepEqual(
      Array.from(sections, ([, name]) => name),
      names
    )
  })
})

describe('the example of a configuration for Prometheus', () => {
  it('is one', async () => {
    await runToEnd(['promtool', 'check', 'config', join(PROJECT_DIR, 'deploy/prometheus/prometheus.yml')])
  })
})

describe('links within the pages about metrics and alerts', () => {
  for (const page of ['docs/alerts.md', 'docs/metrics.md']) {
    it(`of ${page} lead somewhere`, () => {
      const links = readFileSync(join(PROJECT_DIR, page), 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)
      for (const [link, path, anchor] of links) {
        const file = path === '' ? page : join('docs', path!)
        assert.ok(existsSync(join(PROJECT_DIR, file)), link)
        if (anchor !== undefined) assert.ok(anchorsOf(file).includes(anchor), link)
      }
    })
  }
})

/** What headings are linked by, as GitHub makes it: small letters, words joined by dashes, nothing else. */
function anchorsOf(page: string): string[] {
  const headings = readFileSync(join(PROJECT_DIR, page), 'utf8').matchAll(/^#+ (.*)$/gm)
  return Array.from(headings, ([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
  )
}
