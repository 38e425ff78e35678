import { javaTool } from './java-tools.ts'
import { runToEnd } from './run-to-end.ts'

/** What one partition holds, boiled down by `java/Digest.java`. */
export interface PartitionDigest {
  readonly topic: string
  readonly partition: number
  readonly records: number
  /** Over key, value, headers without farlog's own, and timestamp, in order. */
  readonly digest: string
  /** Records that have no `farlog.origin` header or several. */
  readonly notExactlyOneOrigin: number
  /** Records whose source offset is not above that of the record before from the same source partition. */
  readonly originNotIncreasing: number
  /** Records whose origin an earlier record of the partition has too. */
  readonly duplicates: number
  /** Records of aborted transactions, which nobody should be able to read. */
  readonly aborted: number
  /** Places where the numbers that `produce` wrote do not follow on one another (a fresh run's 0 is none). */
  readonly sequenceBreaks: number
}

/** Reads the topics whole, up to their ends now; sorted by topic and partition. */
export async function digest(options: {
  readonly bootstrap: string
  readonly topics: readonly string[]
  /** Without any new record until it gives up; 60 s unless said otherwise. */
  readonly timeoutSeconds?: number
}): Promise<PartitionDigest[]> {
  const { stdout } = await runToEnd(await javaTool('Digest', { ...options, topics: options.topics.join(',') }))
  return stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as PartitionDigest)
}
