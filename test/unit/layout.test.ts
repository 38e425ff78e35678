import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

const SRC_DIR = join(import.meta.dirname, '../../src')

const BELOW_FLOW = [
  'events',
  'source',
  'rewrite',
  'destination',
  'offsets',
  'verify',
  'lag',
  'records',
  'cluster',
  'observe',
  'avro',
  'config'
] as const

/** Which folders of `src` a folder may import, besides itself. Stages do not import one another: `flow` passes values between them. */
const BELOW = {
  records: [],
  config: [],
  avro: [],
  observe: ['config'],
  cluster: ['records', 'config', 'observe'],
  lag: ['records'],
  rewrite: ['records'],
  source: ['cluster', 'config', 'observe', 'records'],
  destination: ['cluster', 'config', 'observe', 'records'],
  offsets: ['cluster', 'config', 'observe', 'records'],
  verify: ['cluster', 'config', 'avro', 'terminal'],
  events: ['cluster', 'config', 'observe', 'avro'],
  flow: BELOW_FLOW,
  terminal: [],
  plan: ['flow', 'destination', 'offsets', 'rewrite', 'events', 'verify', 'cluster', 'config', 'terminal'],
  status: ['flow', 'terminal', ...BELOW_FLOW],
  page: ['status', 'flow', 'terminal', ...BELOW_FLOW],
  doctor: ['status', 'plan', 'terminal', 'flow', ...BELOW_FLOW],
  import: ['status', 'terminal', 'flow', ...BELOW_FLOW],
  failover: ['status', 'terminal', 'flow', ...BELOW_FLOW],
  cli: ['page', 'doctor', 'import', 'failover', 'status', 'plan', 'terminal', 'flow', ...BELOW_FLOW]
} as const satisfies Record<string, readonly string[]>

/** Kafka clients: what they are like is nobody's business outside of `src/cluster`. */
const CLIENTS = ['@confluentinc/kafka-javascript', '@platformatic/kafka']

interface Import {
  /** A path in `src` with slashes, or a package's name. */
  readonly to: string
  readonly isTypeOnly: boolean
}

const files = new Map(sourceFiles().map(file => [file, importsOf(file)]))

describe('the layout of src', () => {
  it('has a place for every folder', () => {
    const folders = new Set([...files.keys()].map(folderOf).filter(folder => folder !== ''))
    assert.deepEqual([...folders].toSorted(), Object.keys(BELOW).toSorted())
  })

  for (const [folder, below] of Object.entries(BELOW)) {
    it(`lets ${folder} import ${below.length === 0 ? 'nothing' : below.join(', ')}`, () => {
      const allowed = new Set<string>([folder, ...below])
      const violations = ownImports()
        .filter(({ from, to }) => folderOf(from) === folder && !allowed.has(folderOf(to)))
        .map(({ from, to }) => `${from} imports ${to}`)
      assert.deepEqual(violations, [])
    })
  }

  it('is used by main.ts alone at its top, and by nobody the other way', () => {
    const atTop = [...files.keys()].filter(file => folderOf(file) === '')
    assert.deepEqual(atTop, ['main.ts'])
    assert.deepEqual(
      ownImports().filter(({ to }) => folderOf(to) === ''),
      []
    )
  })

  it('keeps the two Kafka clients behind cluster', () => {
    const outside = [...files].flatMap(([from, imports]) =>
      imports
        .filter(
          ({ to }) =>
            CLIENTS.some(client => to === client || to.startsWith(`${client}/`)) && folderOf(from) !== 'cluster'
        )
        .map(({ to }) => `${from} imports ${to}`)
    )
    assert.deepEqual(outside, [])
    for (const client of CLIENTS) {
      assert.ok(
        [...files.values()].flat().some(({ to }) => to === client),
        `${client} is imported somewhere`
      )
    }
  })

  it('has no circle of files that need one another to run', () => {
    assert.deepEqual(circles(), [])
  })

  it('keeps librdkafka, which no worker thread can load, out of the data plane', () => {
    const needed = neededBy('flow/data-plane-thread.ts')
    assert.ok(needed.has('@platformatic/kafka'))
    assert.ok(!needed.has('@confluentinc/kafka-javascript'), [...needed].join(', '))
  })

  it('imports files that are there', () => {
    assert.deepEqual(
      ownImports().filter(({ to }) => !files.has(to)),
      []
    )
  })
})

describe('finding imports', () => {
  it('sees every form of them', () => {
    const text = `
      import kafka from 'default'
      import { a, type B } from 'named'
      import type { C } from 'type'
      import {
        d,
        e
      } from 'many-lines'
      import * as all from 'star'
      import 'bare'
      export { f } from 'export'
      export type { G } from 'export-type'
      export * from 'export-star'
      const lazy = await import('lazy')
      const thread = new Worker(new URL('thread', import.meta.url))
      // import { no } from 'comment'
      /** import no from 'doc-comment' */
    `
    assert.deepEqual(importsIn(text), [
      { to: 'default', isTypeOnly: false },
      { to: 'named', isTypeOnly: false },
      { to: 'type', isTypeOnly: true },
      { to: 'many-lines', isTypeOnly: false },
      { to: 'star', isTypeOnly: false },
      { to: 'bare', isTypeOnly: false },
      { to: 'export', isTypeOnly: false },
      { to: 'export-type', isTypeOnly: true },
      { to: 'export-star', isTypeOnly: false },
      { to: 'lazy', isTypeOnly: false },
      { to: 'thread', isTypeOnly: false }
    ])
  })
})

function ownImports(): { from: string; to: string; isTypeOnly: boolean }[] {
  return [...files].flatMap(([from, imports]) =>
    imports.filter(({ to }) => to.endsWith('.ts')).map(found => ({ from, ...found }))
  )
}

/** Files and packages that are loaded with this file. */
function neededBy(file: string): Set<string> {
  const needed = new Set<string>()
  const walk = (from: string): void => {
    if (needed.has(from)) return
    needed.add(from)
    for (const { to, isTypeOnly } of files.get(from) ?? []) if (!isTypeOnly) walk(to)
  }
  walk(file)
  return needed
}

/** Each circle once, from the file that comes first in the alphabet. */
function circles(): string[] {
  const found = new Set<string>()
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]): void => {
    const since = path.indexOf(file)
    if (since >= 0) {
      const circle = path.slice(since)
      const first = circle.indexOf(circle.toSorted()[0]!)
      found.add([...circle.slice(first), ...circle.slice(0, first), circle[first]].join(' → '))
      return
    }
    if (done.has(file)) return
    for (const { to, isTypeOnly } of files.get(file) ?? []) if (!isTypeOnly) walk(to, [...path, file])
    done.add(file)
  }
  for (const file of files.keys()) walk(file, [])
  return [...found]
}

function sourceFiles(): string[] {
  return readdirSync(SRC_DIR, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => file.split(sep).join('/'))
    .toSorted()
}

function importsOf(file: string): Import[] {
  return importsIn(readFileSync(join(SRC_DIR, file), 'utf8')).map(({ to, isTypeOnly }) => ({
    to: to.startsWith('.')
      ? relative(SRC_DIR, join(SRC_DIR, dirname(file), to))
          .split(sep)
          .join('/')
      : to,
    isTypeOnly
  }))
}

/** Statements begin a line (biome sees to it), so neither comments nor strings are taken for one. */
function importsIn(text: string): Import[] {
  const statement = /^\s*(?:import|export)\s+(type\s+)?(?:[\w*\s{},]+?\s+from\s+)?'([^']+)'/
  const dynamic = /(?:\bimport\(|\bnew URL\()'([^']+)'/
  const either = new RegExp(`${statement.source}|${dynamic.source}`, 'gm')
  const withoutComments = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  return Array.from(withoutComments.matchAll(either), ([, type, from, inCall]) => ({
    to: (from ?? inCall)!,
    isTypeOnly: type !== undefined
  }))
}

function folderOf(file: string): string {
  return file.includes('/') ? file.split('/')[0]! : ''
}
