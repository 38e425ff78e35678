/**
 * `make chaos SEED=7 MINUTES=10 RATE=4000`: a mirror under faults of all kinds, drawn from the seed. Exits 0 only if every
 * record is at the destination once, in order and equal.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownFolder } from '../support/owned-process.ts'
import { runChaos } from './chaos-run.ts'
import { resultLines } from './report.ts'

const seed = numberGiven('SEED', Date.now() % 1_000_000)
const minutes = numberGiven('MINUTES', 5)
const recordsPerSecond = numberGiven('RATE', 4_000)
const again = `make chaos SEED=${seed} MINUTES=${minutes} RATE=${recordsPerSecond}`

console.log(again)
keepJavaFilesTogether()
try {
  const result = await runChaos({ seed, lengthMs: minutes * 60_000, recordsPerSecond, print: console.log })
  for (const line of resultLines(result)) console.log(line)
  const { isGood, evidenceDir } = result
  if (isGood) console.log('OK: every record is at the destination once, in order and equal.')
  else console.log(`FAILED. Logs are in ${evidenceDir}; the same schedule again: ${again}`)
  process.exit(isGood ? 0 : 1)
} catch (error) {
  console.error(error)
  process.exit(1)
}

/** @param fallback where it is not given, or empty as make passes it on */
function numberGiven(name: string, fallback: number): number {
  const text = process.env[name] || String(fallback)
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`${name}=${text} is no number`)
  return Number(text)
}

/** A killed JVM leaves its unpacked native libraries behind. */
function keepJavaFilesTogether(): void {
  const dir = mkdtempSync(join(tmpdir(), 'farlog-chaos-java-'))
  ownFolder(dir)
  process.env.JDK_JAVA_OPTIONS = `${process.env.JDK_JAVA_OPTIONS ?? ''} -Djava.io.tmpdir=${dir} -XX:-UsePerfData`
}
