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

/**
 * @param {Element} list
 * @param {readonly string[]} sentences
 */
export function setSentences(list, sentences) {
  const shown = [...list.children].map(item => item.textContent)
  if (shown.join('\n') === sentences.join('\n')) return
  list.replaceChildren(...sentences.map(sentence => element('li', {}, sentence)))
}
