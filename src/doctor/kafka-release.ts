/** The first `metadata.version` of each release (org.apache.kafka.server.common.MetadataVersion of Kafka 4.1). */
const FIRST_LEVELS: readonly (readonly [level: number, release: string])[] = [
  [1, '3.0'],
  [2, '3.1'],
  [3, '3.2'],
  [4, '3.3'],
  [8, '3.4'],
  [9, '3.5'],
  [12, '3.6'],
  [15, '3.7'],
  [20, '3.8'],
  [21, '3.9'],
  [22, '4.0'],
  [26, '4.1'],
  [28, '4.2']
]

/** What Kafka a cluster runs as; its brokers may be newer. */
export function releaseOf(metadataVersion: number): string {
  const release = FIRST_LEVELS.findLast(([level]) => metadataVersion >= level)?.[1] ?? FIRST_LEVELS[0]![1]
  const isNewest = release === FIRST_LEVELS.at(-1)![1]
  return `runs as Kafka ${release}${isNewest ? ' or newer' : ''} (metadata.version ${metadataVersion})`
}
