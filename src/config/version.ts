import { readFileSync } from 'node:fs'

/** farlog's own version, as in package.json. */
export const VERSION: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
