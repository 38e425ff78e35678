import { open, rm, stat } from 'node:fs/promises'
import { UsageError } from './usage-error.ts'

/**
 * That a file can be written where an option says, found out before anything is done: a step that fails for want of a file would
 * leave those behind it undone. Both kinds of files are written beside their place first, and moved there once they are whole.
 * @throws UsageError
 */
export async function assertWritable(option: string, path: string | undefined): Promise<void> {
  if (path === undefined) return
  const unfinished = `${path}.unfinished`
  try {
    await (await open(unfinished, 'w')).close()
    await rm(unfinished)
  } catch (error) {
    refuse(option, path, (error as NodeJS.ErrnoException).code ?? String(error))
  }
  const there = await stat(path).catch(() => undefined)
  if (there?.isDirectory()) refuse(option, path, 'it is a folder')
}

function refuse(option: string, path: string, reason: string): never {
  throw new UsageError(`${option} ${path} can’t be written: ${reason}; in a pod, name a file below /tmp`)
}
