import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LostRecordFile, lostRecordLine } from '../../../src/failover/export-lost.ts'
import type { LostRecord } from '../../../src/failover/lost-records.ts'

const RECORD: LostRecord = {
  ...{ topic: 'orders', partition: 3, offset: 812, timestamp: -1, key: Buffer.from([0xff, 0x00]), value: null },
  headers: [
    [Buffer.from('trace'), Buffer.from('é')],
    [Buffer.from('trace'), null]
  ]
}

describe('an exported record', () => {
  it('keeps bytes that are no text, null apart from empty, and headers of one name', () => {
    assert.deepEqual(JSON.parse(lostRecordLine(RECORD)), {
      ...{ topic: 'orders', partition: 3, offset: 812, timestamp: -1, key: '/wA=', value: null },
      headers: [
        ['trace', 'w6k='],
        ['trace', null]
      ]
    })
    assert.equal(JSON.parse(lostRecordLine({ ...RECORD, value: Buffer.alloc(0) })).value, '')
  })
})

describe('a file of exported records', () => {
  const folder = mkdtempSync(join(tmpdir(), 'farlog-export-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('is there once it is whole, with a line for each record, however many', async () => {
    const path = join(folder, 'lost.jsonl')
    await using file = new LostRecordFile(path)
    const value = Buffer.alloc(1_000)
    for (let offset = 0; offset < 500; offset++) await file.take({ ...RECORD, offset, value })
    assert.ok(!existsSync(path))
    await file.finish()
    const offsets = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).offset)
    assert.deepEqual(
      offsets,
      Array.from({ length: 500 }, (_, i) => i)
    )
  })

  it('says what keeps it from being written', async () => {
    await using file = new LostRecordFile(join(folder, 'nowhere', 'lost.jsonl'))
    await assert.rejects(async () => {
      for (let offset = 0; ; offset++) await file.take({ ...RECORD, offset, value: Buffer.alloc(10_000) })
    }, /ENOENT/)
  })
})
