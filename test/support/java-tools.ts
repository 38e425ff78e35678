import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { javaCommand, KAFKA_DIR, kafkaJars, QUICK_COMPILER } from './java.ts'
import { runToEnd } from './run-to-end.ts'

/** The command that runs one of the tools in `test/support/java` with `name=value` arguments. */
export async function javaTool(
  mainClass: 'Produce' | 'Digest' | 'Mm2Reader',
  args: Readonly<Record<string, string | number | boolean | undefined>>
): Promise<string[]> {
  const given = Object.entries(args).filter(([, value]) => value !== undefined)
  return javaCommand(
    mainClass,
    given.map(([name, value]) => `${name}=${value}`),
    { heapMb: 512, logLevel: 'warn', classes: [await compiledTools()], jvmFlags: [QUICK_COMPILER] }
  )
}

let compiled: Promise<string> | undefined

/** Compiles the tools where their sources changed since the last time; other processes may be doing the same. */
function compiledTools(): Promise<string> {
  compiled ??= compile()
  return compiled
}

async function compile(): Promise<string> {
  const sourceDir = join(import.meta.dirname, 'java')
  const sources = readdirSync(sourceDir)
    .filter(name => name.endsWith('.java'))
    .map(name => join(sourceDir, name))
  const hash = createHash('sha256')
  for (const source of sources) hash.update(readFileSync(source))
  const parent = join(KAFKA_DIR, 'classes')
  const target = join(parent, hash.digest('hex').slice(0, 16))
  if (existsSync(target)) return target

  mkdirSync(parent, { recursive: true })
  const draft = mkdtempSync(join(parent, 'draft-'))
  await runToEnd(['javac', '-encoding', 'UTF-8', '-d', draft, '-cp', kafkaJars().join(':'), ...sources])
  try {
    renameSync(draft, target)
  } catch (error) {
    if (!existsSync(target)) throw error
  }
  return target
}
