import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The smallest environment that is right, with what a test changes; `undefined` unsets. */
export function environment(changes: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    FARLOG_SOURCE: 'east',
    FARLOG_DESTINATIONS: 'west',
    FARLOG_EAST_BOOTSTRAP_SERVERS: 'east-1:9092',
    FARLOG_WEST_BOOTSTRAP_SERVERS: 'west-1:9092',
    ...changes
  }
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
}

/** A folder of mounted files that goes away with the test. */
export class MountedFiles implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'farlog-config-'))

  /** Writes a file and returns its path. */
  write(name: string, contents: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, contents)
    return path
  }

  remove(name: string): void {
    rmSync(join(this.folder, name))
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
