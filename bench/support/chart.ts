/** A bar of the chart. */
export interface Bar {
  readonly label: string
  /** Records per processor second, as a multiple of MirrorMaker 2's. */
  readonly ratio: number
  readonly isOurs: boolean
}

/** Bars that belong to one work. */
export interface BarGroup {
  readonly title: string
  readonly bars: readonly Bar[]
}

const WIDTH = 820
const LABEL_WIDTH = 220
const BAR_HEIGHT = 18
const GROUP_GAP = 26
const TOP = 64

/** Draws horizontal bars on a common linear scale; colours follow the reader's light or dark scheme. */
export function barChart(title: string, subtitle: string, groups: readonly BarGroup[]): string {
  const longest = Math.max(...groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio)))
  const scale = (WIDTH - LABEL_WIDTH - 80) / longest
  const parts: string[] = []
  let y = TOP
  for (const { title: groupTitle, bars } of groups) {
    parts.push(`  <text class="group" x="16" y="${y + 13}">${escaped(groupTitle)}</text>`)
    y += 22
    for (const { label, ratio, isOurs } of bars) {
      const width = Math.max(ratio * scale, 1)
      parts.push(
        `  <text class="label" x="${LABEL_WIDTH - 8}" y="${y + 13}">${escaped(label)}</text>`,
        `  <rect class="${isOurs ? 'ours' : 'other'}" x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT - 4}"/>`,
        `  <text class="value" x="${(LABEL_WIDTH + width + 6).toFixed(1)}" y="${y + 12}">${ratio.toFixed(1)}</text>`
      )
      y += BAR_HEIGHT
    }
    y += GROUP_GAP - BAR_HEIGHT / 2
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-labelledby="title">
  <title id="title">${escaped(title)}</title>
  <style>
    text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
    .title { font-size: 17px; font-weight: 600 }
    .group { font-weight: 600 }
    .label { text-anchor: end }
    .small { font-size: 11px; fill: #59636e }
    .ours { fill: #0969da }
    .other { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .small { fill: #9ea7b3 }
      .ours { fill: #4493f8 }
      .other { fill: #6e7681 }
    }
  </style>
  <text class="title" x="16" y="26">${escaped(title)}</text>
  <text class="small" x="16" y="46">${escaped(subtitle)}</text>
${parts.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
