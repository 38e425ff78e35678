/** As much of PromQL as it takes to look at the parts of an expression one by one. */

/** Stands between two parts: a comparison or a set operator, with what it matches by. */
const OPERATOR =
  /^\s(?:and|or|unless|==|!=|>=|<=|>|<)(?:\s+bool)?(?:\s+(?:on|ignoring)\s*\([^)]*\))?(?:\s+group_(?:left|right)\s*\([^)]*\))?\s/

/**
 * What stands to the left and to the right of comparisons and set operators, down through parentheses that hold nothing but
 * such a part; numbers are left out. So each of them has data where the whole has none, for a condition that is not met.
 */
export function operandsOf(expr: string): string[] {
  const inner = withoutParentheses(expr.trim().replaceAll(/\s+/g, ' '))
  const absent = /^absent\((.*)\)$/.exec(inner)
  if (absent !== null) return operandsOf(absent[1]!)
  const parts = splitByOperators(inner)
  if (parts.length === 1) return Number.isNaN(Number(inner)) ? [inner] : []
  return parts.flatMap(operandsOf)
}

/** Every metric that an expression asks for, with its label matchers. */
export function selectorsOf(expr: string): string[] {
  const found = expr.matchAll(/(?<![\w:"])(?:(?:flow|topic):)?(?:farlog|process|nodejs)_[\w:]*(?:\{[^}]*\})?|\bup\b/g)
  return [...new Set(Array.from(found, ([selector]) => selector))]
}

function splitByOperators(expr: string): string[] {
  const parts: string[] = []
  let depth = 0
  let isQuoted = false
  let from = 0
  for (let at = 0; at < expr.length; at++) {
    const character = expr[at]!
    if (character === '"') isQuoted = !isQuoted
    if (isQuoted) continue
    if ('({['.includes(character)) depth++
    if (')}]'.includes(character)) depth--
    const operator = depth === 0 && character === ' ' ? OPERATOR.exec(expr.slice(at)) : null
    if (operator === null) continue
    parts.push(expr.slice(from, at))
    from = at + operator[0].length
    at = from - 1
  }
  return [...parts, expr.slice(from)]
}

/** Only where the first one is closed by the last one. */
function withoutParentheses(expr: string): string {
  if (!expr.startsWith('(')) return expr
  let depth = 0
  for (let at = 0; at < expr.length; at++) {
    if (expr[at] === '(') depth++
    if (expr[at] === ')' && --depth === 0)
      return at === expr.length - 1 ? withoutParentheses(expr.slice(1, -1).trim()) : expr
  }
  return expr
}
