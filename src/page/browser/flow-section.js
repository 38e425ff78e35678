import { asCount, asRate, Chart } from './charts.js'
import { element, setItems, setSentences, setText } from './elements.js'
import { inWords } from './words.js'

/** @import { EventView, FlowView, GroupView, RowFilter, ShownRow, TableView, WorkerView } from '../page-view.ts' */

const SEARCH_PAUSE_MS = 250

/** @type {readonly { value: RowFilter, text: string }[]} */
const FILTERS = [
  { value: 'all', text: 'all, by need' },
  { value: 'attention', text: 'those that need attention' },
  { value: 'behind', text: 'those that are behind' }
]

const COLUMNS = [
  { title: 'Partition' },
  { title: 'State' },
  { title: 'Lag', class: 'number' },
  { title: 'Lag time', class: 'number' },
  { title: 'Copied to', class: 'number wide-only' },
  { title: 'Source end', class: 'number wide-only' },
  { title: 'Caught up in', class: 'number' },
  { title: 'Worker', class: 'worker wide-only' }
]

const when = new Intl.DateTimeFormat('en', {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  // Orders are told in UTC beside it.
  timeZoneName: 'short'
})

/** One flow, made once and then kept up to date, so that what somebody reads, types or has focused stays where it is. */
export class FlowSection {
  #index
  #onQuery
  #heading = element('h2')
  #badge = element('span', { class: 'badge' })
  #sentences = element('ul', { class: 'sentences' })
  #exposure = element('p', { class: 'exposure' })
  #backlog = element('p', { class: 'quiet' })
  #figures = element('dl', { class: 'figures' })
  #charts = {
    lagSeconds: new Chart('Lag, time', inWords, 1),
    lagRecords: new Chart('Lag, records', asCount, 10),
    recordsPerSecond: new Chart('Throughput, records', asRate, 10)
  }
  #search = element('input', {
    type: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: '200',
    placeholder: 'topic or worker'
  })
  #filter = element('select', {}, ...FILTERS.map(({ value, text }) => element('option', { value }, text)))
  #caption = element('caption')
  #rows = element('tbody')
  #previous = element('button', { type: 'button' }, 'Previous')
  #next = element('button', { type: 'button' }, 'Next')
  #pageOf = element('span', { class: 'quiet', 'aria-live': 'polite' })
  #groups = new SmallTable(['Group', 'Last checkpoint', 'Would be read again'])
  #groupsNote = element('p', { class: 'quiet' })
  #workers = new SmallTable(['Worker', 'Host', 'Partitions'])
  #workersNote = element('p', { class: 'quiet' })
  #events = element('ol', { class: 'events' })
  #noEvents = element('p', { class: 'quiet' }, 'Nothing has happened to the source, and nobody has given an order.')
  #page = 0

  /**
   * @param {number} index the flow's place in the configuration
   * @param {() => void} onQuery other rows are wanted
   */
  constructor(index, onQuery) {
    this.#index = index
    this.#onQuery = onQuery
    const id = `flow-${index}`
    this.#heading.id = id
    this.element = element(
      'section',
      { class: 'flow', 'aria-labelledby': id },
      element('div', { class: 'flow-head' }, this.#heading, this.#badge),
      this.#exposure,
      this.#backlog,
      this.#sentences,
      this.#figures,
      element('div', { class: 'charts' }, ...Object.values(this.#charts).map(chart => chart.element)),
      this.#partitions(),
      element(
        'div',
        { class: 'columns' },
        part('Consumer groups', this.#groups.element, this.#groupsNote),
        part('Workers', this.#workers.element, this.#workersNote),
        part('Events', this.#events, this.#noEvents)
      )
    )
  }

  /** Adds what rows are wanted. @param {URLSearchParams} query */
  addTo(query) {
    query.set(`show.${this.#index}`, this.#filter.value)
    query.set(`search.${this.#index}`, this.#search.value)
    query.set(`page.${this.#index}`, String(this.#page))
  }

  /**
   * @param {FlowView} flow
   * @param {number} nowMs by the worker's clock
   * @param {boolean} isOnly the page's verdict is this flow's
   */
  update(flow, nowMs, isOnly) {
    setText(this.#heading, `${flow.source} → ${flow.destination}`)
    this.#badge.hidden = isOnly
    this.#badge.dataset.level = flow.verdict.level
    setText(this.#badge, flow.verdict.title)
    this.#sentences.hidden = isOnly
    setSentences(this.#sentences, flow.verdict.sentences)
    setText(this.#exposure, flow.exposure)
    this.#backlog.hidden = flow.backlog === null
    setText(this.#backlog, flow.backlog ?? '')
    this.#showFigures(flow.figures)
    for (const name of /** @type {const} */ (['lagSeconds', 'lagRecords', 'recordsPerSecond'])) {
      this.#charts[name].update(flow.history.atMs, flow.history[name], nowMs)
    }
    this.#showTable(flow.table)
    this.#showGroups(flow.groups, flow.groupsNote)
    this.#showWorkers(flow.workers)
    setText(this.#workersNote, flow.workersNote)
    this.#showEvents(flow.events)
  }

  #partitions() {
    let typing = 0
    const changed = () => {
      this.#page = 0
      this.#onQuery()
    }
    this.#search.addEventListener('input', () => {
      clearTimeout(typing)
      typing = setTimeout(changed, SEARCH_PAUSE_MS)
    })
    this.#filter.addEventListener('change', changed)
    const turn = (/** @type {number} */ pages) => {
      this.#page += pages
      this.#onQuery()
    }
    this.#previous.addEventListener('click', () => turn(-1))
    this.#next.addEventListener('click', () => turn(1))
    const title = `partitions-${this.#index}`
    const head = COLUMNS.map(column => element('th', { scope: 'col', class: column.class ?? '' }, column.title))
    const table = element(
      'table',
      { class: 'partitions' },
      this.#caption,
      element('thead', {}, element('tr', {}, ...head)),
      this.#rows
    )
    return element(
      'section',
      { 'aria-labelledby': title },
      element(
        'div',
        { class: 'table-head' },
        element('h3', { id: title }, 'Partitions'),
        element('label', {}, 'Find ', this.#search),
        element('label', {}, 'Show ', this.#filter)
      ),
      // It can be scrolled with the keyboard where it is wider than the screen.
      element('div', { class: 'scroll', role: 'group', tabindex: '0', 'aria-labelledby': title }, table),
      element('div', { class: 'pager' }, this.#previous, this.#next, this.#pageOf)
    )
  }

  /** @param {FlowView['figures']} figures */
  #showFigures(figures) {
    setItems(this.#figures, figures, ({ name, value, note }) => [
      element(
        'div',
        { class: 'figure' },
        element('dt', {}, name),
        element('dd', {}, element('span', { class: 'value' }, value), element('span', { class: 'note' }, note ?? ''))
      )
    ])
  }

  /** @param {TableView} table */
  #showTable({ rows, caption, page, pages }) {
    this.#page = page
    setText(this.#caption, caption)
    setText(this.#pageOf, pages > 1 ? `page ${page + 1} of ${pages.toLocaleString('en')}` : '')
    // A button that has the focus keeps it, though there is nothing more for it to do.
    for (const [button, isOver] of /** @type {const} */ ([
      [this.#previous, page === 0],
      [this.#next, page + 1 >= pages]
    ])) {
      const isFocused = button === document.activeElement
      button.hidden = pages === 1 && !isFocused
      button.disabled = isOver && !isFocused
    }
    /** @type {readonly (ShownRow | null)[]} */
    const items = rows.length > 0 ? rows : [null]
    setItems(this.#rows, items, row => (row === null ? [nothingFound()] : rowsOf(row)))
  }

  /** @param {readonly GroupView[]} groups @param {string} note */
  #showGroups(groups, note) {
    this.#groups.show(groups.map(({ group, checkpoint, readAgain }) => [group, checkpoint, readAgain]))
    this.#groupsNote.hidden = note === ''
    setText(this.#groupsNote, note)
  }

  /** @param {readonly WorkerView[] | null} workers */
  #showWorkers(workers) {
    this.#workers.show(
      (workers ?? []).map(({ name, host, partitions, isThis }) => [
        isThis ? `${name} (this one)` : name,
        host,
        partitions
      ])
    )
  }

  /** @param {readonly EventView[]} events */
  #showEvents(events) {
    setItems(this.#events, events, ({ at, what, detail, isTrouble }) => [
      element(
        'li',
        { class: isTrouble ? 'trouble' : '' },
        element('time', { datetime: at }, when.format(new Date(at))),
        ' ',
        element('strong', {}, what),
        ' ',
        detail
      )
    ])
    this.#events.hidden = events.length === 0
    this.#noEvents.hidden = events.length > 0
  }
}

/** @param {string} title @param {...HTMLElement} content */
function part(title, ...content) {
  return element('section', { class: 'part' }, element('h3', {}, title), ...content)
}

/**
 * The row, and what there is to say of it in one below, as wide as the table.
 *
 * @param {ShownRow} row
 */
function rowsOf(row) {
  const name = element('th', { scope: 'row' }, row.topic, element('span', { class: 'quiet' }, `-${row.partition}`))
  const state = element('td', {}, element('span', { class: 'state', 'data-state': row.state }, row.state))
  const texts = [row.lagRecords, row.lagSeconds, row.nextSourceOffset, row.sourceEndOffset, row.eta, row.worker]
  const cells = texts.map((text, index) => element('td', { class: COLUMNS[index + 2]?.class ?? '' }, text))
  if (row.detail === null) return [element('tr', {}, name, state, ...cells)]
  const detail = element('td', { colspan: String(COLUMNS.length) }, element('span', { class: 'detail' }, row.detail))
  return [element('tr', { class: 'explained' }, name, state, ...cells), element('tr', { class: 'why' }, detail)]
}

function nothingFound() {
  return element('tr', {}, element('td', { colspan: String(COLUMNS.length), class: 'quiet' }, 'None.'))
}

/** A table that is there while it has rows. */
class SmallTable {
  #body = element('tbody')

  /** @param {readonly string[]} titles */
  constructor(titles) {
    const head = element('tr', {}, ...titles.map(title => element('th', { scope: 'col' }, title)))
    this.element = element('div', { hidden: '' }, element('table', {}, element('thead', {}, head), this.#body))
  }

  /** @param {readonly (readonly string[])[]} rows */
  show(rows) {
    this.element.hidden = rows.length === 0
    setItems(this.#body, rows, ([name = '', ...cells]) => [
      element('tr', {}, element('th', { scope: 'row' }, name), ...cells.map(cell => element('td', {}, cell)))
    ])
  }
}
