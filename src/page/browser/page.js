import { byId, drawing, element, setSentences, setText } from './elements.js'
import { FlowSection } from './flow-section.js'
import { inWords } from './words.js'

/** @import { PageView, Verdict, VerdictLevel } from '../page-view.ts' */

const REFRESH_MS = 2_000
/** The first question makes the worker look at the others; what it sees is shown as soon as it is there. */
const REFRESH_FIRST_MS = 400
const FIRST_ANSWERS = 4
/** The title and the icon of a tab in the background still tell the verdict. */
const REFRESH_HIDDEN_MS = 10_000
const TIMEOUT_MS = 8_000
/** Whoever has not been heard of for so long may not be believed any more. */
const STALE_AFTER_MS = 7_000
const STALE_HIDDEN_AFTER_MS = 25_000

/** By level: the sign in the title, the shape of the icon, its colour on a tab of any colour. */
const LEVELS = /** @type {const} @satisfies {Record<VerdictLevel, { sign: string, path: string, colour: string }>} */ ({
  trusted: { sign: '✓', path: 'M5 12.5l4.5 4.5L19 7.5', colour: '#1a7f4b' },
  behind: { sign: '…', path: 'M12 6.5v6l4 2.5', colour: '#9a6700' },
  stopped: { sign: '■', path: 'M9 7.5v9M15 7.5v9', colour: '#5b6470' },
  unknown: { sign: '?', path: 'M9 9.2a3 3 0 1 1 4.4 2.6c-.9.5-1.4 1.1-1.4 2.2M12 17.2v.1', colour: '#5b6470' },
  attention: { sign: '!', path: 'M12 6.5v7M12 17.2v.1', colour: '#c4232b' }
})

/** @type {FlowSection[]} */
const sections = []
/** @type {PageView | undefined} */
let last
let heardAtMs = performance.now()
let trouble = ''
let asking = new AbortController()
let isAskedAnew = false
let answers = 0

setInterval(showAge, 1_000)
document.addEventListener('visibilitychange', askNow)
refreshForever()

async function refreshForever() {
  for (;;) {
    isAskedAnew = false
    await refresh()
    if (!isAskedAnew)
      await pause(document.hidden ? REFRESH_HIDDEN_MS : answers < FIRST_ANSWERS ? REFRESH_FIRST_MS : REFRESH_MS)
  }
}

/** Somebody wants to see something else, or looks again. */
function askNow() {
  isAskedAnew = true
  asking.abort()
}

/** @param {number} ms */
function pause(ms) {
  asking = new AbortController()
  const { signal } = asking
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms, undefined)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve(undefined)
    })
  })
}

async function refresh() {
  asking = new AbortController()
  const query = new URLSearchParams()
  for (const section of sections) section.addTo(query)
  try {
    const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(TIMEOUT_MS)])
    const response = await fetch(`api/page?${query}`, { signal })
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    const view = /** @type {PageView} */ (await response.json())
    // What is shown may have another shape now, which this page does not know.
    if (last !== undefined && last.version !== view.version) location.reload()
    last = view
    heardAtMs = performance.now()
    trouble = ''
    answers++
    show(last)
  } catch (error) {
    if (isAskedAnew) return
    trouble = error instanceof Error ? error.message : String(error)
  }
  showAge()
}

/** @param {PageView} view */
function show(view) {
  const upSeconds = Math.max(0, Math.round((view.nowMs - Date.parse(view.startedAt)) / 1_000))
  setText(byId('worker'), `${view.worker}, version ${view.version}, up ${inWords(upSeconds)}`)
  setText(byId('names'), namesIn(view))
  while (sections.length < view.flows.length) {
    const section = new FlowSection(sections.length, askNow)
    sections.push(section)
    byId('flows').append(section.element)
  }
  for (const gone of sections.splice(view.flows.length)) gone.element.remove()
  for (const [index, flow] of view.flows.entries()) sections[index]?.update(flow, view.nowMs, view.flows.length === 1)
}

/** How old what is shown is; once that is too old, it is said in place of the verdict. */
function showAge() {
  const ageMs = performance.now() - heardAtMs
  const isStale = ageMs > (document.hidden ? STALE_HIDDEN_AFTER_MS : STALE_AFTER_MS)
  const seconds = Math.round(ageMs / 1_000)
  setText(byId('heard'), last === undefined ? '' : `· heard ${seconds < 1 ? 'just now' : `${inWords(seconds)} ago`}`)
  document.body.classList.toggle('stale', isStale)
  if (!isStale) {
    if (last !== undefined) showVerdict(last.verdict, namesIn(last))
    return
  }
  const before =
    last === undefined
      ? 'It has not been heard of yet.'
      : `Last heard ${inWords(seconds)} ago, when it said “${last.verdict.title}”. What is below is from then.`
  const why = trouble === '' ? '' : ` (${trouble})`
  showVerdict(
    { level: 'unknown', title: 'The worker does not answer', sentences: [`${before}${why}`] },
    last === undefined ? '' : namesIn(last)
  )
}

let announced = ''

/**
 * @param {Verdict} verdict
 * @param {string} names
 */
function showVerdict({ level, title, sentences }, names) {
  const { sign, path, colour } = LEVELS[level]
  setText(byId('verdict-title'), title)
  setSentences(byId('verdict-sentences'), sentences)
  const pageTitle = [`${sign} ${title}`, names, 'farlog'].filter(text => text !== '').join(' · ')
  if (document.title !== pageTitle) document.title = pageTitle
  // Read out when the verdict changes; not with each number in it.
  if (announced !== title && last !== undefined) setText(byId('announcer'), `${title}. ${sentences.join(' ')}`)
  announced = title
  if (document.body.dataset.level === level && byId('verdict-icon').childElementCount > 0) return
  document.body.dataset.level = level
  byId('verdict-icon').replaceChildren(drawing('circle', { cx: '12', cy: '12', r: '11' }), drawing('path', { d: path }))
  const icon =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="11" fill="${colour}"/>` +
    `<path d="${path}" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>`
  byId('icon').replaceWith(
    element('link', { rel: 'icon', id: 'icon', href: `data:image/svg+xml,${encodeURIComponent(icon)}` })
  )
}

/** @param {PageView} view */
function namesIn({ flows }) {
  const [first, ...others] = flows
  if (first === undefined) return ''
  return `${first.source} → ${[first, ...others].map(({ destination }) => destination).join(', ')}`
}
