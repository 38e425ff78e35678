import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { ownFolder } from '../../support/owned-process.ts'

/** How somebody looks at a page. */
export interface Viewing {
  readonly width?: number
  readonly height?: number
  readonly colorScheme?: 'light' | 'dark'
}

/** Debian's Chromium without a screen, with a folder of its own. `await using` ends it and removes the folder. */
export class Chromium implements AsyncDisposable {
  readonly #context: BrowserContext
  readonly #folder: { remove(): void }

  static async start(): Promise<Chromium> {
    const dir = mkdtempSync(join(tmpdir(), 'farlog-chromium-'))
    const folder = ownFolder(dir)
    const context = await chromium.launchPersistentContext(dir, {
      executablePath: installed(),
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ],
      reducedMotion: 'reduce',
      timezoneId: 'UTC'
    })
    context.setDefaultTimeout(20_000)
    return new Chromium(context, folder)
  }

  private constructor(context: BrowserContext, folder: { remove(): void }) {
    this.#context = context
    this.#folder = folder
  }

  /** A new tab, and everything that its console complains of. */
  async open(url: string, viewing: Viewing = {}): Promise<Page & { readonly complaints: readonly string[] }> {
    const page = await this.#context.newPage()
    const complaints: string[] = []
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(String(error)))
    await page.setViewportSize({ width: viewing.width ?? 1280, height: viewing.height ?? 900 })
    await page.emulateMedia({ colorScheme: viewing.colorScheme ?? 'light', reducedMotion: 'reduce' })
    await page.goto(url)
    return Object.assign(page, { complaints })
  }

  async closeTabs(): Promise<void> {
    // The first one keeps the browser alive.
    await Promise.all(
      this.#context
        .pages()
        .slice(1)
        .map(page => page.close())
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close()
    this.#folder.remove()
  }
}

function installed(): string {
  const places = (process.env.PATH ?? '').split(':').map(dir => join(dir, 'chromium'))
  const found = places.find(existsSync)
  if (found === undefined) throw new Error('There is no chromium: run bin/setup test')
  return found
}
