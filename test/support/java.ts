import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The checkout's root folder. */
export const PROJECT_DIR = join(import.meta.dirname, '../..')

/** What `bin/setup test` put aside for Kafka: `lib` (jars), `kafka.jsa` (class-data archive), `classes` (our Java tools). */
export const KAFKA_DIR = join(PROJECT_DIR, '.tools/kafka')

/** Releases that `bin/setup test` puts aside beside that one: what a broker needs, and nothing else. */
export type OtherKafka = '3.9.2' | '3.1.2' | '3.0.2'

/** Where the jars of a release are, in `lib`; of the one that nearly all tests use, unless another is asked for. */
export function kafkaDir(release?: OtherKafka): string {
  return release === undefined ? KAFKA_DIR : `${KAFKA_DIR}-${release}`
}

/** Classes as the JVM maps them from a file instead of parsing them from the jars: a broker starts in half the time. */
export const CLASS_ARCHIVE = join(KAFKA_DIR, 'kafka.jsa')

/** A test's JVM lives too shortly to earn back what the optimising compiler costs: a quarter of a broker's start, half of a tool's run. */
export const QUICK_COMPILER = '-XX:TieredStopAtLevel=1'

export interface JavaOptions {
  readonly heapMb: number
  readonly logLevel?: 'info' | 'warn' | 'error'
  /** Of the jars; the usual one unless said otherwise. */
  readonly release?: OtherKafka | undefined
  /** Folders with classes, searched after Kafka's jars. */
  readonly classes?: readonly string[]
  /** After the harness's own, so they win. */
  readonly jvmFlags?: readonly string[]
}

/** The command that runs a Java main class with Kafka's jars on the class path. */
export function javaCommand(mainClass: string, args: readonly string[], options: JavaOptions): string[] {
  const classPath = [...kafkaJars(options.release), ...(options.classes ?? [])].join(':')
  const hasArchive = options.release === undefined && existsSync(CLASS_ARCHIVE)
  return [
    'java',
    `-Xmx${options.heapMb}m`,
    '-XX:+UseSerialGC',
    // Before Java 18 the default is the locale's, and not every machine has one.
    '-Dfile.encoding=UTF-8',
    ...(hasArchive ? [`-XX:SharedArchiveFile=${CLASS_ARCHIVE}`] : []),
    ...(options.jvmFlags ?? []),
    `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'kafka/log4j2.properties')}`,
    `-Dfarlog.logLevel=${options.logLevel ?? 'info'}`,
    '-cp',
    classPath,
    mainClass,
    ...args
  ]
}

/** Kafka's jars, sorted: an archive only fits the very class path that it was made with. */
export function kafkaJars(release?: OtherKafka): string[] {
  const lib = join(kafkaDir(release), 'lib')
  const jars = existsSync(lib) ? readdirSync(lib).filter(name => name.endsWith('.jar')) : []
  if (jars.length === 0) throw new Error(`No Kafka jars in ${lib}: run bin/setup test`)
  return jars.sort().map(name => join(lib, name))
}
