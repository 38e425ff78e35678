import assert from 'node:assert/strict'
import { type Column, tableLines } from '../../../src/terminal/table.ts'

const COLUMNS: readonly Column[] = [
  { title: 'NAME', align: 'left', canShrink: true },
  { title: 'COUNT', align: 'right' },
  { title: 'STATE', align: 'left' }
]

function cells(...texts: string[]) {
  return texts.map(text => ({ text }))
}

describe('tableLines', () => {
  it('aligns every column under its title, without blanks at the end', () => {
    assert.deepEqual(tableLines(COLUMNS, [cells('orders', '7', 'ok'), cells('a', '123,456', '')]), [
      'NAME      COUNT  STATE',
      'orders        7  ok',
      'a       123,456'
    ])
  })

  it('cuts only what may be cut, in the middle, and not below what can be recognised', () => {
    const rows = [cells('orders-of-the-northern-region-v1', '1', 'mirrored')]
    const lines = tableLines(COLUMNS, rows, 36)
    assert.equal(lines[1], 'orders-of…region-v1      1  mirrored')
    assert.equal(Math.max(...lines.map(line => line.length)), 36)
    assert.equal(tableLines(COLUMNS, rows, 5)[1], 'orders…on-v1      1  mirrored')
  })

  it('does not count colours as width', () => {
    const red = (text: string) => `<${text}>`
    assert.deepEqual(tableLines(COLUMNS, [[{ text: 'a' }, { text: '1', style: red }, { text: 'x', style: red }]]), [
      'NAME  COUNT  STATE',
      'a     <    1>  <x>'
    ])
  })
})
