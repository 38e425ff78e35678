// Everything that is shown is text that others have chosen (topics, groups, messages of brokers): it only ever becomes text.

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} content strings become text
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...content)
  return made
}

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @returns {SVGElement}
 */
export function drawing(name, attributes = {}) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  return made
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * Only where it changes: what is written again is read out and selected anew.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

/** @type {WeakMap<Element, readonly { told: string, made: readonly Element[] }[]>} */
const laidOut = new WeakMap()

/**
 * Lays items out one after the other. Only those that have changed are made again, so that whatever somebody reads or has selected in the
 * others stays as it is.
 *
 * @template Item
 * @param {Element} target what else it holds goes
 * @param {readonly Item[]} items
 * @param {(item: Item) => readonly Element[]} make one element or more
 */
export function setItems(target, items, make) {
  const before = laidOut.get(target) ?? []
  if (before.length === 0) target.replaceChildren()
  const now = items.map((item, index) => {
    const told = JSON.stringify(item)
    const old = before[index]
    if (old?.told === told) return old
    const made = make(item)
    if (old === undefined) target.append(...made)
    else {
      old.made[0]?.before(...made)
      remove(old.made)
    }
    return { told, made }
  })
  for (const { made } of before.slice(items.length)) remove(made)
  laidOut.set(target, now)
}

/** @param {readonly Element[]} elements */
function remove(elements) {
  for (const each of elements) each.remove()
}

/**
 * @param {Element} list
 * @param {readonly string[]} sentences
 */
export function setSentences(list, sentences) {
  setItems(list, sentences, sentence => [element('li', {}, sentence)])
}
