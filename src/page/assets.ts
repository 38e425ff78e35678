import { readFileSync } from 'node:fs'
import type { Reply } from '../observe/http.ts'

/** The page's files, by the path they are served at. */
export type Assets = ReadonlyMap<string, Reply>

/** Only what this worker itself serves may run, style or be asked: a topic's name can never become code. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

const FILES = {
  '/': { file: 'page.html', type: 'text/html' },
  '/page/page.css': { file: 'page.css', type: 'text/css' },
  '/page/page.js': { file: 'page.js', type: 'text/javascript' },
  '/page/flow-section.js': { file: 'flow-section.js', type: 'text/javascript' },
  '/page/charts.js': { file: 'charts.js', type: 'text/javascript' },
  '/page/elements.js': { file: 'elements.js', type: 'text/javascript' },
  '/page/words.js': { file: 'words.js', type: 'text/javascript' }
} as const

/** Reads them once: no path that somebody asks for ever becomes the name of a file. */
export function loadAssets(): Assets {
  return new Map(
    Object.entries(FILES).map(([path, { file, type }]) => [
      path,
      {
        status: 200,
        type: `${type}; charset=utf-8`,
        body: readFileSync(new URL(`browser/${file}`, import.meta.url), 'utf8'),
        headers: { 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' }
      }
    ])
  )
}
