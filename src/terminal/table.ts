/** A column of a table of text. */
export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
  /** What matters less may be cut where the table is too wide. */
  readonly canShrink?: boolean
}

/** What stands in a table's field; the style is put around the padded text, so that colours don't count as width. */
export interface Cell {
  readonly text: string
  readonly style?: (text: string) => string
}

const GAP = '  '
/** A column is never cut shorter. */
const SHRUNK_WIDTH_MIN = 12

/** Lays rows out under their titles: a line each, the titles first. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  widthMax = Number.POSITIVE_INFINITY
): string[] {
  const titles = columns.map(({ title }) => ({ text: title }))
  const widths = fit(columns, naturalWidths([titles, ...rows]), widthMax)
  return [titles, ...rows].map(row =>
    row
      .map((cell, index) => layOut(cell, widths[index]!, columns[index]!, index === columns.length - 1))
      .join(GAP)
      .trimEnd()
  )
}

function naturalWidths(rows: readonly (readonly Cell[])[]): number[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, { text }] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, text.length)
  }
  return widths
}

/** Takes what is too much from the widest of the columns that can give. */
function fit(columns: readonly Column[], widths: number[], widthMax: number): number[] {
  let excess = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1)) - widthMax
  for (; excess > 0; excess--) {
    let widest = -1
    for (const [index, { canShrink }] of columns.entries()) {
      const isWider = widths[index]! > (widths[widest] ?? SHRUNK_WIDTH_MIN)
      if (canShrink && isWider) widest = index
    }
    if (widest < 0) break
    widths[widest]!--
  }
  return widths
}

function layOut({ text, style }: Cell, width: number, { align }: Column, isLast: boolean): string {
  // Of a long name the end says more than the middle: that is where siblings differ.
  const head = Math.ceil((width - 1) / 2)
  const shown = text.length <= width ? text : `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`
  const padded = align === 'right' ? shown.padStart(width) : isLast ? shown : shown.padEnd(width)
  return style === undefined ? padded : style(padded)
}
