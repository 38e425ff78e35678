import { runToEnd } from './run-to-end.ts'

/** A record as `kcat` shows it: bytes that are no UTF-8 are not to be compared by it, `digest` is for that. */
export interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  /** Who set the timestamp: the producer, or the broker when it appended the record. */
  readonly timestampType: 'create' | 'logappend'
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
}

/** Reads what committed readers see of one partition, from its beginning to its end now. */
export async function readRecords(bootstrap: string, topic: string, partition = 0): Promise<ReadRecord[]> {
  const where = ['-b', bootstrap, '-t', topic, '-p', String(partition), '-o', 'beginning']
  const { stdout } = await runToEnd(['kcat', '-C', ...where, '-e', '-q', '-J', '-X', 'fetch.wait.max.ms=50'])
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const { offset, ts, tstype, key, payload, headers = [] } = JSON.parse(line) as KcatRecord
      return { offset, timestamp: ts, timestampType: tstype, key, value: payload, headers: pairs(headers) }
    })
}

/** The source offsets that the records' provenance names, in the order of the copy. */
export function sourceOffsets(records: readonly ReadRecord[]): number[] {
  return records.map(({ headers }) => {
    const origin = headers.findLast(([name]) => name === 'farlog.origin')?.[1]
    return Number(origin?.split('/').at(-1))
  })
}

interface KcatRecord {
  readonly offset: number
  readonly ts: number
  readonly tstype: 'create' | 'logappend'
  readonly key: string | null
  readonly payload: string | null
  readonly headers?: readonly (string | null)[]
}

function pairs(flat: readonly (string | null)[]): [string, string | null][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[i * 2]!, flat[i * 2 + 1]!])
}
