/**
 * The Prometheus Operator's kinds, judged by the Go structs that define them: the module with its ready-made schemas is not to
 * be had, and the structs name each field, its type and whether it may be left out. Read is as much of Go as they use: fields
 * with a `json` tag, embedded structs, slices, maps, pointers, and types that are another name for a plain one.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Field {
  /** As Go writes it, without the pointer: `[]Rule`, `map[string]string`, `metav1.LabelSelector`. */
  readonly type: string
  readonly isRequired: boolean
}

const PLAIN: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  int: 'number',
  int32: 'number',
  int64: 'number',
  uint64: 'number',
  float64: 'number'
}

export class GoTypes {
  readonly #structs = new Map<string, Map<string, Field>>()
  readonly #embedded = new Map<string, string[]>()
  /** `type Duration string` → string. */
  readonly #names = new Map<string, string>()

  /** @param folder with the Go files of one package */
  constructor(folder: string) {
    const files = globSync('*.go', { cwd: folder }).filter(file => !file.endsWith('_test.go'))
    if (files.length === 0) throw new Error(`No Go files in ${folder}: run bin/setup test`)
    for (const file of files) this.#read(readFileSync(join(folder, file), 'utf8'))
  }

  /** One line for each field that the type lacks, that is of another type, or that is missing. */
  problems(typeName: string, value: unknown): string[] {
    if (!this.#structs.has(typeName)) return [`${typeName}: there is no such type`]
    return this.#problems(typeName, value, typeName)
  }

  #problems(type: string, value: unknown, path: string): string[] {
    if (type.startsWith('[]')) {
      if (!Array.isArray(value)) return [`${path}: must be a list`]
      return value.flatMap((item, index) => this.#problems(type.slice(2), item, `${path}/${index}`))
    }
    const [, valueType] = /^map\[string\](.+)$/.exec(type) ?? []
    if (valueType !== undefined) {
      if (!isObject(value)) return [`${path}: must be a map`]
      return Object.entries(value).flatMap(([key, item]) => this.#problems(valueType, item, `${path}/${key}`))
    }
    const plain = PLAIN[type] ?? PLAIN[this.#names.get(type) ?? '']
    if (plain !== undefined) return typeof value === plain ? [] : [`${path}: must be a ${plain}`]
    // What comes from Kubernetes' own packages is judged by its own schemas elsewhere.
    const fields = this.#fields(type)
    if (fields.size === 0) return []
    if (!isObject(value)) return [`${path}: must be an object`]
    const missing = [...fields].filter(([name, { isRequired }]) => isRequired && !(name in value))
    return [
      ...missing.map(([name]) => `${path}/${name}: is missing`),
      ...Object.entries(value).flatMap(([name, item]) => {
        const field = fields.get(name)
        return field === undefined ? [`${path}/${name}: unknown`] : this.#problems(field.type, item, `${path}/${name}`)
      })
    ]
  }

  /** Also those of embedded structs. */
  #fields(type: string): Map<string, Field> {
    const own = this.#structs.get(type) ?? new Map<string, Field>()
    const embedded = (this.#embedded.get(type) ?? []).flatMap(name => [...this.#fields(name)])
    return new Map([...embedded, ...own])
  }

  #read(text: string): void {
    for (const [, name, body] of text.matchAll(/^type (\w+) struct \{\n(.*?)^\}/gms)) this.#readStruct(name!, body!)
    for (const [, name, type] of text.matchAll(/^type (\w+) (\w+)$/gm)) this.#names.set(name!, type!)
  }

  #readStruct(name: string, body: string): void {
    const fields = new Map<string, Field>()
    const embedded: string[] = []
    for (const [, type, jsonName, options] of body.matchAll(
      /^\t(?:\w+\s+)?\*?([\w.[\]]+)\s+`json:"([^",]*)([^"]*)"/gm
    )) {
      if (jsonName === '' && type === 'metav1.TypeMeta') {
        for (const field of ['apiVersion', 'kind']) fields.set(field, { type: 'string', isRequired: true })
      } else if (jsonName === '') embedded.push(type!)
      else fields.set(jsonName!, { type: type!.replaceAll('*', ''), isRequired: !options!.includes('omitempty') })
    }
    this.#structs.set(name, fields)
    this.#embedded.set(name, embedded)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
