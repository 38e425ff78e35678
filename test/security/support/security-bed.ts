import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BatchWriter } from '../../support/batch-writer.ts'
import { type FarlogProcess, startFarlog } from '../../support/farlog-process.ts'
import { KafkaAdmin } from '../../support/kafka-admin.ts'
import type { KafkaCluster } from '../../support/kafka-cluster.ts'
import { ownFolder } from '../../support/owned-process.ts'
import { CertificateAuthority, type KeyPair } from './certificates.ts'
import { startSecuredKafka, USER } from './secured-cluster.ts'
import { TokenEndpoint } from './token-endpoint.ts'

/** Told from anything else that may be written anywhere. */
const SECRETS = {
  password: 'planted-password-7Qx',
  nextPassword: 'planted-next-password-2Ht',
  nextClientSecret: 'planted-next-client-secret-8Mn',
  wrong: 'planted-mistake-1Zr',
  passphrase: 'planted-passphrase-4Lk',
  clientSecret: 'planted-client-secret-9Wd',
  httpToken: 'planted-http-token-3Vb',
  threadToken: 'planted-thread-token-5Js'
}

/** Two clusters with a listener for each way of authentication, and all that is needed to get in. `await using` ends it. */
export class SecurityBed implements AsyncDisposable {
  readonly secrets = SECRETS
  readonly workers: FarlogProcess[] = []
  /** Everything that this bed wrote for its workers. */
  readonly dir: string
  /** Where the workers run: nothing is there, and nothing should be. */
  readonly workingDir: string
  readonly authority: CertificateAuthority
  /** Trusted by nobody. */
  readonly stranger: CertificateAuthority
  /** Its key is encrypted. */
  readonly client: KeyPair
  readonly expiredClient: KeyPair
  readonly strangersClient: KeyPair
  readonly tokens: TokenEndpoint
  readonly east: KafkaCluster
  readonly west: KafkaCluster
  readonly eastAdmin: KafkaAdmin
  readonly westAdmin: KafkaAdmin
  readonly writer: BatchWriter

  static async start(): Promise<SecurityBed> {
    const dir = mkdtempSync(join(tmpdir(), 'farlog-security-'))
    ownFolder(dir)
    const [authority, stranger] = await Promise.all([
      CertificateAuthority.create(dir, 'authority'),
      CertificateAuthority.create(dir, 'stranger')
    ])
    const { passphrase, password, clientSecret } = SECRETS
    const name = `mirror-${USER}`
    const client = await authority.issue({ name, passphrase })
    const expiredClient = await authority.issue({ name, passphrase, isExpired: true })
    const strangersClient = await stranger.issue({ name, passphrase })
    const tokens = new TokenEndpoint(USER, clientSecret)
    await tokens.start()
    const keySetFile = join(dir, 'keys.json')
    tokens.writeKeySet(keySetFile)
    const secured = { authority, stranger, password, keySetFile }
    const [east, west] = await Promise.all([
      startSecuredKafka({ name: 'east', ...secured }),
      startSecuredKafka({ name: 'west', ...secured })
    ])
    return new SecurityBed({ dir, authority, stranger, client, expiredClient, strangersClient, tokens, east, west })
  }

  private constructor(made: Parts) {
    this.dir = made.dir
    this.workingDir = join(made.dir, 'working')
    mkdirSync(this.workingDir)
    this.authority = made.authority
    this.stranger = made.stranger
    this.client = made.client
    this.expiredClient = made.expiredClient
    this.strangersClient = made.strangersClient
    this.tokens = made.tokens
    this.east = made.east
    this.west = made.west
    this.eastAdmin = new KafkaAdmin(made.east.bootstrap)
    this.westAdmin = new KafkaAdmin(made.west.bootstrap)
    this.writer = new BatchWriter(made.east.bootstrap)
  }

  /** A topic with ten records. */
  async createTopic(topic: string): Promise<void> {
    await this.eastAdmin.createTopic(topic)
    await this.write(topic)
  }

  /** Ten records more. */
  write(topic: string): Promise<void> {
    return this.writer.write(
      topic,
      0,
      Array.from({ length: 10 }, (_, i) => ({ key: `${i}`, value: `${topic} ${i}` }))
    )
  }

  /** Mirrors one topic from east to west, tells all that it can tell, and lives until the bed ends. */
  async startWorker(topic: string, env: Readonly<Record<string, string>>): Promise<FarlogProcess> {
    const worker = await startFarlog(
      {
        FARLOG_SOURCE: 'east',
        FARLOG_DESTINATIONS: 'west',
        FARLOG_TOPICS: topic,
        FARLOG_GROUP_ID: `test-${topic}`,
        FARLOG_REFRESH_INTERVAL: '1s',
        FARLOG_HEARTBEAT_INTERVAL: '0s',
        FARLOG_LOG_LEVEL: 'trace',
        ...env
      },
      { cwd: this.workingDir }
    )
    this.workers.push(worker)
    return worker
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(worker => worker[Symbol.asyncDispose]()))
    await Promise.all([this.writer, this.eastAdmin, this.westAdmin].map(client => client[Symbol.asyncDispose]()))
    await Promise.all([this.east.stop(), this.west.stop(), this.tokens[Symbol.asyncDispose]()])
    ownFolder(this.dir).remove()
  }
}

type Parts = Pick<
  SecurityBed,
  'dir' | 'authority' | 'stranger' | 'client' | 'expiredClient' | 'strangersClient' | 'tokens' | 'east' | 'west'
>
