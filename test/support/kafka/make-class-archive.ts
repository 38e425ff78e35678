/**
 * Makes the class-data archive (see java.ts) by running a broker once with everything the tests will want loaded, and
 * stopping it in order: the JVM writes the archive when it ends. Called by bin/setup.
 */
import { renameSync, rmSync } from 'node:fs'
import { CLASS_ARCHIVE } from '../java.ts'
import { startKafka } from '../kafka-cluster.ts'

const draft = `${CLASS_ARCHIVE}.${process.pid}`
rmSync(CLASS_ARCHIVE, { force: true })
await using cluster = await startKafka({ name: 'archive', jvmFlags: [`-XX:ArchiveClassesAtExit=${draft}`] })
await cluster.brokers[0]!.stop()
renameSync(draft, CLASS_ARCHIVE)
