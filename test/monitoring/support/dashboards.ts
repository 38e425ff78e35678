import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_DIR } from '../../support/java.ts'

/** A query of a panel. */
export interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
  readonly instant: boolean
  readonly datasource: { readonly uid: string }
}

/** What a dashboard shows in one place. */
export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: { readonly defaults: { readonly unit?: string; readonly noValue?: string } }
  readonly options: { readonly yAxis?: { readonly unit: string }; readonly legend?: { readonly showLegend?: boolean } }
  readonly targets: readonly Target[]
}

/** What a person chooses from above the panels. */
export interface Variable {
  readonly name: string
  readonly type: string
  readonly definition?: string
}

export interface Dashboard {
  readonly file: string
  readonly uid: string
  readonly title: string
  readonly variables: readonly Variable[]
  /** Without the rows' own headings. */
  readonly panels: readonly Panel[]
  readonly rows: readonly { readonly id: number; readonly title: string }[]
}

const DASHBOARDS_DIR = join(PROJECT_DIR, 'deploy/grafana/dashboards')

/** The dashboards that are shipped. */
export function readDashboards(): Dashboard[] {
  return globSync('*.json', { cwd: DASHBOARDS_DIR })
    .toSorted()
    .map(file => {
      const { uid, title, templating, panels } = JSON.parse(readFileSync(join(DASHBOARDS_DIR, file), 'utf8'))
      const all = panels as Panel[]
      return {
        ...{ file, uid, title, variables: templating.list as Variable[] },
        panels: all.filter(({ type }) => type !== 'row'),
        rows: all.filter(({ type }) => type === 'row')
      }
    })
}

/** The query as Grafana sends it for the flow from east to west, with all topics. @param rateInterval as Grafana chooses it */
export function filledIn(query: string, rateInterval: string): string {
  const values: Record<string, string> = {
    $source: 'east',
    $destination: 'west',
    $topic: '.*',
    $__rate_interval: rateInterval
  }
  return query.replaceAll(/\$\w+/g, name => {
    const value = values[name]
    if (value === undefined) throw new Error(`No value for ${name} in ${query}`)
    return value
  })
}

/** Labels that a legend names. */
export function legendLabels(legendFormat: string): string[] {
  return Array.from(legendFormat.matchAll(/\{\{(\w+)\}\}/g), ([, label]) => label!)
}
