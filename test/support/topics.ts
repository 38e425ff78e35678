import { Admin } from '@platformatic/kafka'

export interface NewTopic {
  readonly name: string
  readonly partitions?: number
  readonly replicas?: number
  /** As `cleanup.policy` or `retention.ms`. */
  readonly configs?: Readonly<Record<string, string>>
}

/** Creates topics; partitions and replicas are the broker's defaults unless said otherwise. */
export async function createTopics(bootstrap: string, topics: readonly NewTopic[]): Promise<void> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: bootstrap.split(',') })
  try {
    for (const { name, partitions = -1, replicas = -1, configs = {} } of topics) {
      await admin.createTopics({
        topics: [name],
        partitions,
        replicas,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value }))
      })
    }
  } finally {
    await admin.close()
  }
}
