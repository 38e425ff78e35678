import { drawing, element, setText } from './elements.js'

const WIDTH = 600
const HEIGHT = 120
const SPAN_MS = 600_000
/** A longer pause between two points is one in which nobody looked. */
const GAP_MS = 12_000

const count = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })

/** @typedef {(value: number) => string} Format */

/** @type {Format} */
export const asCount = value => count.format(value)

/** @type {Format} */
export const asRate = value => `${count.format(value)}/s`

/**
 * The line's pieces and the largest value, in the drawing's units. Pure.
 *
 * @param {readonly number[]} atMs
 * @param {readonly (number | null)[]} values
 * @param {number} nowMs the right edge
 * @param {number} leastTop what the vertical axis reaches at least
 */
export function lineOf(atMs, values, nowMs, leastTop) {
  const known = values.filter(value => value !== null)
  const top = roundTop(Math.max(leastTop, ...known))
  /** @type {{ x: number, y: number }[][]} */
  const pieces = []
  let lastMs = Number.NEGATIVE_INFINITY
  for (const [index, value] of values.entries()) {
    const at = atMs[index] ?? 0
    const x = WIDTH * (1 - (nowMs - at) / SPAN_MS)
    if (value === null || x < 0) continue
    if (at - lastMs > GAP_MS || values[index - 1] === null) pieces.push([])
    pieces.at(-1)?.push({ x, y: HEIGHT * (1 - value / top) })
    lastMs = at
  }
  return { pieces, top, last: values.at(-1) ?? null, highest: known.length === 0 ? null : Math.max(...known) }
}

/**
 * The next of 1, 2, 5, 10, 20, … that leaves a little room above.
 *
 * @param {number} highest
 */
function roundTop(highest) {
  const power = 10 ** Math.floor(Math.log10(highest))
  return power * ([1, 2, 5].find(step => step * power >= highest * 1.02) ?? 10)
}

/** The last ten minutes of one figure. */
export class Chart {
  /** @type {readonly number[]} */
  #atMs = []
  /** @type {readonly (number | null)[]} */
  #values = []
  #nowMs = 0
  #format
  #leastTop
  #title
  #area = drawing('path', { class: 'area' })
  #line = drawing('path', { class: 'line', 'vector-effect': 'non-scaling-stroke' })
  #svg = drawing('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' })
  #current = element('span', { class: 'chart-now' })
  #top = element('span', { class: 'chart-top' })
  #mark = element('span', { class: 'chart-mark', hidden: '' })
  #pointed = element('span', { class: 'chart-pointed' })

  /**
   * @param {string} title
   * @param {Format} format
   * @param {number} leastTop
   */
  constructor(title, format, leastTop) {
    this.#title = title
    this.#format = format
    this.#leastTop = leastTop
    for (const y of [0.5, HEIGHT / 2]) {
      const grid = { class: 'grid', 'vector-effect': 'non-scaling-stroke' }
      this.#svg.append(drawing('line', { ...grid, x1: '0', x2: String(WIDTH), y1: String(y), y2: String(y) }))
    }
    this.#svg.append(this.#area, this.#line)
    const plot = element('div', { class: 'chart-plot' }, this.#svg, this.#top, this.#mark)
    plot.addEventListener('pointermove', event => this.#point(event.offsetX / plot.clientWidth))
    plot.addEventListener('pointerleave', () => this.#point(null))
    this.element = element(
      'figure',
      { class: 'chart' },
      element('figcaption', {}, element('span', { class: 'chart-title' }, title), this.#current),
      plot,
      element(
        'div',
        { class: 'chart-times', 'aria-hidden': 'true' },
        element('span', {}, '10 min ago'),
        this.#pointed,
        element('span', {}, 'now')
      )
    )
  }

  /**
   * @param {readonly number[]} atMs
   * @param {readonly (number | null)[]} values
   * @param {number} nowMs
   */
  update(atMs, values, nowMs) {
    this.#atMs = atMs
    this.#values = values
    this.#nowMs = nowMs
    const { pieces, top, last, highest } = lineOf(atMs, values, nowMs, this.#leastTop)
    const lines = pieces.map(points => points.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L'))
    this.#line.setAttribute('d', lines.map(line => `M${line}`).join(''))
    const areas = pieces.map(
      (points, index) =>
        `M${points[0]?.x.toFixed(1)} ${HEIGHT}L${lines[index]}L${points.at(-1)?.x.toFixed(1)} ${HEIGHT}Z`
    )
    this.#area.setAttribute('d', areas.join(''))
    setText(this.#current, last === null ? 'not known' : this.#format(last))
    setText(this.#top, this.#format(top))
    const told =
      highest === null
        ? 'nothing is known'
        : `${last === null ? 'not known' : this.#format(last)} now, ${this.#format(highest)} at most`
    this.#svg.setAttribute('aria-label', `${this.#title}, the last ten minutes: ${told}`)
  }

  /** @param {number | null} share of the width, from the left */
  #point(share) {
    const atMs = share === null ? 0 : this.#nowMs - (1 - share) * SPAN_MS
    const nearest = this.#atMs.reduce(
      (best, at, index) => (Math.abs(at - atMs) < Math.abs((this.#atMs[best] ?? 0) - atMs) ? index : best),
      0
    )
    const at = this.#atMs[nearest]
    const isShown = share !== null && at !== undefined && Math.abs(at - atMs) < GAP_MS
    this.#mark.hidden = !isShown
    if (!isShown) return setText(this.#pointed, '')
    this.#mark.style.insetInlineStart = `${100 * (1 - (this.#nowMs - at) / SPAN_MS)}%`
    const value = this.#values[nearest] ?? null
    setText(
      this.#pointed,
      `${new Date(at).toLocaleTimeString('en-GB')}: ${value === null ? 'not known' : this.#format(value)}`
    )
  }
}
