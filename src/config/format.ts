import { existsSync, readFileSync } from 'node:fs'
import { patternProblem, splitPatterns } from './name-filter.ts'
import type { BootstrapServer } from './types.ts'

/** How the text of a variable becomes a value, or why it cannot: `parse` throws a `FormatError`. */
export interface Format<T> {
  parse(text: string): T
  /** An empty text is a value of its own (an empty list), not the same as leaving the variable out. */
  readonly emptyIsValue?: boolean
}

/** What is wrong with a value and what would be right. */
export class FormatError extends Error {
  readonly code = 'CONFIG_FORMAT'
  readonly remedy: string

  constructor(problem: string, remedy: string) {
    super(problem)
    this.name = 'FormatError'
    this.remedy = remedy
  }
}

/** Any text. */
export const text: Format<string> = { parse: value => value }

/** One of a fixed set of words, spelled exactly. */
export function oneOf<const T extends string>(...choices: readonly T[]): Format<T> {
  return {
    parse(value) {
      const choice = choices.find(candidate => candidate === value)
      if (choice === undefined) throw new FormatError(`${quote(value)} is not a choice`, `use ${orList(choices)}`)
      return choice
    }
  }
}

/** `true` or `false`. */
export const boolean: Format<boolean> = {
  parse(value) {
    if (value !== 'true' && value !== 'false') {
      throw new FormatError(`${quote(value)} is not a boolean`, 'use true or false')
    }
    return value === 'true'
  }
}

/** A whole number, both bounds included. */
export function integer({ minimum, maximum }: { minimum: number; maximum: number }): Format<number> {
  return {
    parse(value) {
      const remedy = `use a whole number from ${minimum} to ${maximum}`
      if (/^[a-z]+:\/\//.test(value)) {
        // Kubernetes sets NAME_PORT=tcp://… for each Service in the namespace, which can hit a variable of ours.
        throw new FormatError(
          `${quote(value)} is a Kubernetes service link`,
          `set enableServiceLinks: false, or ${remedy}`
        )
      }
      if (!/^-?\d+$/.test(value)) throw new FormatError(`${quote(value)} is not a whole number`, remedy)
      const parsed = Number(value)
      if (parsed < minimum || parsed > maximum) throw new FormatError(`${quote(value)} is out of range`, remedy)
      return parsed
    }
  }
}

const MILLISECONDS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

export interface DurationBounds {
  readonly minimum: string
  readonly maximum: string
  /** Whether 0 is right too, for never. */
  readonly orNever?: boolean
}

/** A duration such as `500ms`, `30s`, `5m` or `2h`, as milliseconds, both bounds (written alike) included. */
export function duration({ minimum, maximum, orNever = false }: DurationBounds): Format<number> {
  return {
    parse(value) {
      const parsed = durationMs(value)
      if (parsed === undefined) {
        throw new FormatError(`${quote(value)} is not a duration`, 'use a number and a unit: 500ms, 30s, 5m, 2h')
      }
      if (parsed === 0 && orNever) return 0
      if (parsed < durationMs(minimum)!) {
        throw new FormatError(
          `${quote(value)} is too short`,
          `use at least ${minimum}${orNever ? ', or 0s for never' : ''}`
        )
      }
      if (parsed > durationMs(maximum)!) throw new FormatError(`${quote(value)} is too long`, `use at most ${maximum}`)
      return parsed
    }
  }
}

function durationMs(value: string): number | undefined {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(value) ?? []
  return unit === undefined ? undefined : Number(count) * MILLISECONDS_PER_UNIT[unit as 'ms' | 's' | 'm' | 'h']
}

const BYTES_PER_UNIT = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

export interface SizeBounds {
  readonly minimum: string
  readonly maximum: string
  /** Whether `0` is right too, for no limit. */
  readonly orUnlimited?: boolean
}

/** A size such as `512KiB` or `16MiB`, as bytes, both bounds (written alike) included. */
export function size({ minimum, maximum, orUnlimited = false }: SizeBounds): Format<number> {
  return {
    parse(value) {
      if (value === '0' && orUnlimited) return 0
      const parsed = sizeBytes(value)
      if (parsed === undefined) {
        throw new FormatError(`${quote(value)} is not a size`, 'use a number and a unit: 512KiB, 16MiB, 1GiB')
      }
      if (parsed < sizeBytes(minimum)!) {
        throw new FormatError(
          `${quote(value)} is too small`,
          `use at least ${minimum}${orUnlimited ? ', or 0 for no limit' : ''}`
        )
      }
      if (parsed > sizeBytes(maximum)!) throw new FormatError(`${quote(value)} is too large`, `use at most ${maximum}`)
      return parsed
    }
  }
}

function sizeBytes(value: string): number | undefined {
  const [, count, unit] = /^(\d+)(B|KiB|MiB|GiB)$/.exec(value) ?? []
  return unit === undefined ? undefined : Number(count) * BYTES_PER_UNIT[unit as keyof typeof BYTES_PER_UNIT]
}

/** As the given format, or `0` where that stands for none. */
export function orZero(format: Format<number>): Format<number> {
  return { parse: value => (value === '0' ? 0 : format.parse(value)) }
}

/** A cluster's alias. No `/`, because the provenance header separates its parts with it. */
export const alias: Format<string> = {
  parse(value) {
    if (!/^[A-Za-z0-9._-]+$/.test(value)) {
      throw new FormatError(
        `${quote(value)} has a character an alias cannot have`,
        'use letters, digits, dot, underscore and dash'
      )
    }
    return value
  }
}

/** Cluster aliases, comma-separated. */
export const aliasList: Format<string[]> = {
  parse: value => nonEmptyList(value, 'west,south').map(item => alias.parse(item))
}

/** Brokers as `host:port`, comma-separated; an IPv6 address in brackets. */
export const bootstrapServers: Format<BootstrapServer[]> = {
  parse: value => nonEmptyList(value, 'broker-1:9092,broker-2:9092').map(parseServer)
}

function parseServer(value: string): BootstrapServer {
  if (value.includes('@')) {
    throw new FormatError('holds credentials', 'name host:port only, and put them into the variables for SASL')
  }
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port < 1 || port > 65_535) {
    throw new FormatError(`${quote(value)} is not a broker address`, 'use host:port with a port from 1 to 65535')
  }
  return { host, port }
}

/** What a topic name may contain, so that the destination accepts the names made with it. */
export const topicNamePart: Format<string> = {
  parse(value) {
    if (!/^[A-Za-z0-9._-]+$/.test(value)) {
      throw new FormatError(
        `${quote(value)} cannot be part of a topic name`,
        'use letters, digits, dot, underscore and dash'
      )
    }
    return value
  }
}

/** Regular expressions (RE2's dialect), comma-separated, of which at least one is there. */
export const patterns: Format<string[]> = {
  parse(value) {
    const list = optionalPatterns.parse(value)
    if (list.length === 0) throw new FormatError('names no pattern', 'use .* for everything')
    return list
  }
}

/** As `patterns`, but empty stands for none. */
export const optionalPatterns: Format<string[]> = {
  emptyIsValue: true,
  parse(value) {
    const list = splitPatterns(value)
    for (const pattern of list) {
      const problem = patternProblem(pattern)
      if (problem === undefined) continue
      throw new FormatError(
        `${quote(pattern)} is not a regular expression: ${problem}`,
        'use RE2 syntax (https://github.com/google/re2/wiki/Syntax)'
      )
    }
    return list
  }
}

/** An http or https URL. */
export const httpUrl: Format<string> = {
  parse(value) {
    const url = URL.canParse(value) ? new URL(value) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new FormatError('is not an http or https URL', 'use https://host/path')
    }
    if (url.username !== '' || url.password !== '') {
      throw new FormatError('holds credentials', 'put them into the client id and client secret variables')
    }
    return value
  }
}

/** The path of a file of PEM blocks that can be read. */
export const pemPath: Format<string> = {
  parse(path) {
    if (path.includes(PEM_BEGIN)) {
      throw new FormatError('holds the contents of a file', 'give the path of the file, not the contents')
    }
    let contents: string
    try {
      contents = readFileSync(path, 'utf8')
    } catch (error) {
      const what = isFileName(path) ? quote(path) : 'the file'
      throw new FormatError(`cannot read ${what} (${readFailure(error)})`, 'give the path of a PEM file')
    }
    if (!contents.includes(PEM_BEGIN)) {
      throw new FormatError(`${quote(path)} holds no PEM block`, 'give a file that has a line -----BEGIN …-----')
    }
    return path
  }
}

const PEM_BEGIN = '-----BEGIN '

/** Whether it names a file that is there, and so may be shown. A key or password that was put in its file's place names none. */
export function isFileName(text: string): boolean {
  return !/[\r\n]/.test(text) && existsSync(text)
}

/** Why a file cannot be read, by its code alone: the message repeats the path, which may be the secret itself. */
export function readFailure(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}

function nonEmptyList(value: string, example: string): string[] {
  const items = value.split(',').map(item => item.trim())
  if (items.includes('')) throw new FormatError(`${quote(value)} has an empty element`, `use a list such as ${example}`)
  return items
}

function orList(choices: readonly string[]): string {
  return choices.length === 1 ? choices[0]! : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`
}

/** Shortened, so that a file given by mistake does not fill the screen; as JSON, so that it stays on one line. */
function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
}
