import { mkdtempSync, openSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownFolder } from './owned-process.ts'
import { runToEnd } from './run-to-end.ts'

/** A clock that is wrong: of one process, or of several. The clocks that measure how long something takes are right. */
export interface FalseClock {
  /** For the processes that go by it. */
  readonly env: Readonly<Record<string, string>>
  /** By so many hours it is ahead from now on. */
  set(hoursAhead: number): void
}

/** A clock that is right until it is set. What it is made of lives in a folder that goes with this process. */
export async function falseClock(hoursAhead = 0): Promise<FalseClock> {
  const folder = mkdtempSync(join(tmpdir(), 'farlog-clock-'))
  ownFolder(folder)
  const library = join(folder, 'false-clock.so')
  await runToEnd([
    'cc',
    '-shared',
    '-fPIC',
    '-O1',
    '-pthread',
    '-o',
    library,
    join(import.meta.dirname, 'false-clock.c')
  ])
  const path = join(folder, 'offset')
  const file = openSync(path, 'w')
  const set = (hours: number) => {
    const seconds = Buffer.alloc(8)
    seconds.writeBigInt64LE(BigInt(hours * 3_600))
    writeSync(file, seconds, 0, seconds.length, 0)
  }
  set(hoursAhead)
  return { env: { LD_PRELOAD: library, FALSE_CLOCK: path }, set }
}
