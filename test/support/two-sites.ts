import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { type FarlogProcess, startFarlog } from './farlog-process.ts'
import { PROJECT_DIR } from './java.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import { type KafkaCluster, type KafkaOptions, startKafka } from './kafka-cluster.ts'
import { ownFolder, spawnOwned } from './owned-process.ts'
import { type RunResult, runAndCollect } from './run-to-end.ts'
import { type RunbookCommand, readRunbook } from './runbook.ts'

/** What a killed command had done, and what the same command did after that. */
export interface KilledAndAgain {
  /** The last step that it told of before it was killed. */
  readonly killedAfter: string
  readonly again: RunResult
}

const KILL_DELAY_MAX_MS = 50

/** Two clusters that mirror to each other under the identity policy, and a person with the runbook. */
export class TwoSites implements AsyncDisposable {
  readonly east: KafkaCluster
  readonly west: KafkaCluster
  readonly eastAdmin: KafkaAdmin
  readonly westAdmin: KafkaAdmin
  readonly env: Readonly<Record<string, string>>
  /** Where commands are given. */
  readonly folder = mkdtempSync(join(tmpdir(), 'farlog-sites-'))
  readonly #owned = ownFolder(this.folder)
  readonly #workers: FarlogProcess[] = []

  static async start(options: { east?: KafkaOptions; env?: Readonly<Record<string, string>> } = {}): Promise<TwoSites> {
    const [east, west] = await Promise.all([
      startKafka({ name: 'east', ...options.east }),
      startKafka({ name: 'west' })
    ])
    return new TwoSites(east, west, options.env ?? {})
  }

  private constructor(east: KafkaCluster, west: KafkaCluster, env: Readonly<Record<string, string>>) {
    this.east = east
    this.west = west
    this.eastAdmin = new KafkaAdmin(east.bootstrap)
    this.westAdmin = new KafkaAdmin(west.bootstrap)
    this.env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap,
      FARLOG_REPLICATION_POLICY: 'identity',
      FARLOG_REFRESH_INTERVAL: '1s',
      ...env
    }
  }

  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<FarlogProcess> {
    const worker = await startFarlog({ ...this.env, ...env })
    this.#workers.push(worker)
    return worker
  }

  async killWorkers(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map(worker => worker[Symbol.asyncDispose]()))
  }

  /** Gives a command in the folder, and waits for its end. */
  farlog(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
    return runAndCollect([FARLOG, ...args], this.#spawnOptions(env))
  }

  /** The only command of a step of the runbook. */
  command(section: string, number: number, index = 0): RunbookCommand {
    const step = readRunbook().find(each => each.section === section && each.number === number)
    const found = step?.commands[index]
    assert.ok(found, `the runbook has a command ${index} in step ${number} of ${section}`)
    return found
  }

  /** Gives it as the runbook has it. */
  give({ args, env }: RunbookCommand): Promise<RunResult> {
    return this.farlog(args, env)
  }

  /** Starts a worker as the runbook has it. */
  async giveRun({ args, env }: RunbookCommand): Promise<FarlogProcess> {
    assert.deepEqual(args, ['run'])
    return this.startWorker(env)
  }

  /** Gives it, kills it at one of its steps or a moment later, and gives it again. */
  async giveTwice(command: RunbookCommand, killAfterSteps: readonly string[]): Promise<KilledAndAgain> {
    const step = killAfterSteps[randomInt(killAfterSteps.length)]!
    const delayMs = randomInt(KILL_DELAY_MAX_MS)
    await this.giveAndKill(command, step, delayMs)
    return { killedAfter: `${delayMs} ms after ${step}`, again: await this.give(command) }
  }

  /** Gives it and kills it once it tells of this step. @param step what a line begins with behind its number */
  async giveAndKill({ args, env }: RunbookCommand, step: string, delayMs = 0): Promise<void> {
    const process = spawnOwned([FARLOG, ...args], { ...this.#spawnOptions(env), stdio: ['ignore', 'ignore', 'pipe'] })
    const lines: string[] = []
    createInterface(process.child.stderr!).on('line', async line => {
      lines.push(line)
      if (!line.replace(/^\d+\/\d+ +/, '').startsWith(step)) return
      await pause(delayMs)
      process.signal('SIGKILL')
    })
    const { signal } = await process.exit
    assert.equal(signal, 'SIGKILL', `killed ${delayMs} ms after ${step}:\n${lines.join('\n')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killWorkers()
    await Promise.all([this.eastAdmin, this.westAdmin].map(admin => admin[Symbol.asyncDispose]()))
    await Promise.all([this.east.stop(), this.west.stop()])
    this.#owned.remove()
  }

  #spawnOptions(env: Readonly<Record<string, string>>) {
    return { cwd: this.folder, env: { PATH: process.env.PATH ?? '/usr/bin:/bin', ...this.env, ...env } }
  }
}

const FARLOG = join(PROJECT_DIR, 'bin/farlog')
