import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../config/types.ts'

/** What a refused browser needs to ask its user. Programs know without being told. */
export const CHALLENGE = 'Basic realm="farlog", charset="UTF-8"'

/**
 * Whether a client has shown the token, as a bearer token or, as browsers can, as the password of any user. How long it takes
 * says nothing about the token.
 * @param token read again each time; while its file is empty or can't be read, nobody may. `undefined`: everybody may come in
 */
export function isAllowedIn(authorization: string | undefined, token: Secret | undefined): boolean {
  if (token === undefined) return true
  const expected = readToken(token)
  return expected !== '' && timingSafeEqual(digest(shownToken(authorization ?? '')), digest(expected))
}

/** Empty where there is none. A probe must not fail for that: the worker would be ended for it, again and again. */
function readToken(token: Secret): string {
  try {
    return token()
  } catch {
    return ''
  }
}

function shownToken(authorization: string): string {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization) ?? []
  if (value === undefined) return ''
  if (scheme!.toLowerCase() === 'bearer') return value
  const credentials = Buffer.from(value, 'base64').toString('utf8')
  const colon = credentials.indexOf(':')
  return colon === -1 ? '' : credentials.slice(colon + 1)
}

/** Of equal length whatever the text, as the comparison wants it. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
