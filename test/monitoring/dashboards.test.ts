import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { PROJECT_DIR } from '../support/java.ts'
import { filledIn, type Panel, readDashboards } from './support/dashboards.ts'

const GRAFANA_DIR = join(PROJECT_DIR, 'deploy/grafana')
const COLUMNS = 24
/** The data source that the variable says. */
const CHOSEN = /^\$\{datasource\}$/

describe('the dashboards for Grafana', () => {
  const dashboards = readDashboards()

  it('are three, each under the name of its file, which links hold on to', () => {
    assert.deepEqual(
      dashboards.map(({ uid }) => uid),
      ['farlog-failover', 'farlog-overview', 'farlog-partitions']
    )
    for (const { file, uid } of dashboards) assert.equal(basename(file, '.json'), uid)
  })

  for (const { title: dashboard, panels, rows, variables } of dashboards) {
    describe(dashboard, () => {
      it('lets the data source, the source and the destination be chosen', () => {
        const names = variables.map(({ name }) => name)
        assert.deepEqual(names.slice(0, 3), ['datasource', 'source', 'destination'])
        assert.equal(variables[0]!.type, 'datasource')
      })

      it('has a number of its own for each panel', () => {
        const ids = [...panels, ...rows].map(({ id }) => id)
        assert.equal(new Set(ids).size, ids.length)
      })

      it('has no panels that lie upon each other or beside the page', () => {
        for (const [index, panel] of panels.entries()) {
          assert.ok(panel.gridPos.x + panel.gridPos.w <= COLUMNS, panel.title)
          const covered = panels.slice(index + 1).filter(other => overlap(panel, other))
          assert.deepEqual(
            covered.map(({ title }) => title),
            [],
            panel.title
          )
        }
      })

      for (const panel of panels) {
        it(`has a unit, a sentence and names of lines for: ${panel.title}`, () => {
          assert.match(panel.fieldConfig.defaults.unit ?? '', /^\w+$/)
          if (panel.type === 'heatmap') assert.match(panel.options.yAxis?.unit ?? '', /^\w+$/)
          assert.match(panel.description, /^[A-Z0-9].{20,}\.$/)
          assert.ok(panel.title.length > 0 && panel.targets.length > 0)
          assert.match(panel.datasource.uid, CHOSEN)
          // A value of before, where there is none now, would look like good news.
          if (panel.type === 'stat') assert.equal(panel.fieldConfig.defaults.noValue, 'unknown')
          if (panel.type === 'timeseries') assert.equal(panel.options.legend?.showLegend, true)
          for (const { expr, legendFormat, datasource, instant } of panel.targets) {
            assert.match(datasource.uid, CHOSEN)
            assert.equal(instant, panel.type === 'stat' || panel.type === 'table')
            filledIn(expr, '1m')
            if (panel.type !== 'table') assert.match(legendFormat, /\{\{\w+\}\}/)
          }
        })
      }
    })
  }
})

describe('what Grafana is provisioned with', () => {
  const provisioned = (file: string) => parse(readFileSync(join(GRAFANA_DIR, 'provisioning', file), 'utf8'))

  it('is the Prometheus beside it', () => {
    const { apiVersion, datasources } = provisioned('datasources/prometheus.yaml')
    assert.equal(apiVersion, 1)
    assert.deepEqual(
      datasources.map(({ type, isDefault }: Record<string, unknown>) => [type, isDefault]),
      [['prometheus', true]]
    )
    // Rates are taken over four times the interval that Grafana believes in.
    const { global } = parse(readFileSync(join(PROJECT_DIR, 'deploy/prometheus/prometheus.yml'), 'utf8'))
    assert.equal(datasources[0].jsonData.timeInterval, global.scrape_interval)
  })

  it('is a folder of dashboards', () => {
    const { apiVersion, providers } = provisioned('dashboards/farlog.yaml')
    assert.equal(apiVersion, 1)
    assert.equal(providers[0].type, 'file')
    assert.ok(existsSync(join(GRAFANA_DIR, basename(providers[0].options.path))))
  })
})

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
