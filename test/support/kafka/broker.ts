import { execFile } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { javaCommand, type OtherKafka, QUICK_COMPILER } from '../java.ts'
import { type OwnedProcess, spawnOwned } from '../owned-process.ts'
import { GiveUp, until } from '../wait.ts'
import type { BrokerPlace } from './broker-config.ts'

/** One broker of a test cluster. */
export interface KafkaBroker {
  readonly nodeId: number
  readonly port: number
  /** Of the process now running, or of the last one. */
  readonly pid: number
  /** Its log so far, over all its starts. */
  log(): string
  /** Sends a signal, and after SIGKILL waits until the process is gone. `SIGSTOP` and `SIGCONT` pause and wake it. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Shuts down in order: it hands over its leaderships first. */
  stop(): Promise<void>
  /** Stops it where it still runs, starts it on the same port with the same data and waits until it serves again. */
  restart(): Promise<void>
}

const TOLD_LINES_MAX = 40

/** What a log says of why a broker does not come up: it says much more while it shuts down after that. */
function troubleIn(log: string): string {
  const lines = log.split('\n')
  const errors = lines.filter(line => /\b(ERROR|FATAL|WARN)\b|^Caused by|^[\w.]+(Exception|Error)\b/.test(line))
  const last = lines.slice(-TOLD_LINES_MAX / 2)
  return ['What its log complains of:', ...errors.slice(0, TOLD_LINES_MAX), 'Its end:', ...last].join('\n')
}

export interface BrokerLaunch {
  readonly place: BrokerPlace
  readonly dir: string
  readonly heapMb: number
  readonly jvmFlags: readonly string[]
  readonly release?: OtherKafka | undefined
  /** Variables on top of ours. */
  readonly env: Readonly<Record<string, string>>
}

/** Thrown when a port that was free a moment ago is not; another try with other ports is right. */
export class PortTaken extends Error {}

/** A broker that is not yet started: `start` launches the process, `ready` awaits that clients can use it. */
export class BrokerProcess implements KafkaBroker {
  readonly nodeId: number
  readonly port: number
  private readonly launch: BrokerLaunch
  private readonly logFile: string
  private process: OwnedProcess | undefined
  private logLengthAtStart = 0

  constructor(launch: BrokerLaunch) {
    this.launch = launch
    this.nodeId = launch.place.nodeId
    this.port = launch.place.port
    this.logFile = join(launch.dir, 'broker.log')
  }

  get pid(): number {
    return this.process?.pid ?? -1
  }

  start(): void {
    const { dir, heapMb, jvmFlags, release, env } = this.launch
    const output = openSync(this.logFile, 'a')
    this.logLengthAtStart = this.log().length
    const command = javaCommand('kafka.Kafka', [join(dir, 'server.properties')], {
      heapMb,
      release,
      // Codecs unpack native libraries there, and a killed JVM leaves them behind.
      jvmFlags: [QUICK_COMPILER, `-Djava.io.tmpdir=${dir}`, ...jvmFlags]
    })
    this.process = spawnOwned(command, {
      cwd: dir,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output]
    })
    closeSync(output)
  }

  /** Resolves once the broker itself answers a metadata request in which it and as many brokers as asked for stand. */
  async ready(brokersExpected: number): Promise<void> {
    try {
      await until(() => this.seesBrokers(brokersExpected), {
        timeoutMs: 120_000,
        describe: `broker ${this.nodeId} on port ${this.port} to serve metadata with ${brokersExpected} brokers`
      })
    } catch (error) {
      const log = this.log().slice(this.logLengthAtStart)
      const ErrorType = log.includes('Address already in use') ? PortTaken : Error
      throw new ErrorType(`${(error as Error).message}\n${troubleIn(log)}`)
    }
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process?.signal(signal)
    if (signal === 'SIGKILL') await this.process?.exit
  }

  async stop(): Promise<void> {
    await this.process?.stop(30_000)
  }

  async restart(): Promise<void> {
    await this.stop()
    this.start()
    await this.ready(1)
  }

  private async seesBrokers(brokersExpected: number): Promise<boolean> {
    if (!this.process?.isRunning()) throw new GiveUp(`Broker ${this.nodeId} ended while it was starting`)
    // Asking before the port is open would only cost processes.
    if (!this.log().includes('Kafka Server started', this.logLengthAtStart)) return false
    const { stdout } = await promisify(execFile)('kcat', ['-L', '-J', '-m', '5', '-b', `127.0.0.1:${this.port}`])
    const { brokers } = JSON.parse(stdout) as { brokers: { id: number }[] }
    return brokers.length >= brokersExpected && brokers.some(broker => broker.id === this.nodeId)
  }
}
