import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Admin } from '@platformatic/kafka'
import type { FlowOverview, Overview, PartitionRow } from '../../src/status/overview.ts'
import { type FarlogProcess, runFarlog, startFarlog } from '../support/farlog-process.ts'
import { freePorts } from '../support/free-port.ts'
import { PROJECT_DIR } from '../support/java.ts'
import { type KafkaCluster, startKafka } from '../support/kafka-cluster.ts'
import { spawnOwned } from '../support/owned-process.ts'
import { produce } from '../support/produce.ts'
import { startOnTerminal } from '../support/pseudo-terminal.ts'
import { createTopics } from '../support/topics.ts'
import { until } from '../support/wait.ts'

/** One story, told in order: each step finds the clusters as the one before left them. */
describe('farlog status', function () {
  this.timeout(60_000)
  this.bail(true)

  const orders = { name: 'orders', partitions: 2 }
  let east: KafkaCluster
  let west: KafkaCluster
  let env: Record<string, string>
  let nowhere: string

  before(async () => {
    ;[east, west] = await Promise.all([startKafka({ name: 'east' }), startKafka({ name: 'west' })])
    const [port] = await freePorts(1)
    nowhere = `127.0.0.1:${port}`
    env = {
      FARLOG_SOURCE: 'east',
      FARLOG_DESTINATIONS: 'west',
      FARLOG_EAST_BOOTSTRAP_SERVERS: east.bootstrap,
      FARLOG_WEST_BOOTSTRAP_SERVERS: west.bootstrap
    }
    await write(300)
  })

  after(async () => {
    await Promise.all([east?.stop(), west?.stop()])
  })

  it('shows what a worker would find that nobody has started yet', async () => {
    const { code, flow } = await status()
    assert.equal(code, 0)
    assert.deepEqual(states(flow), ['orders-0 missing', 'orders-1 missing'])
    assert.deepEqual([flow.workers, flow.totals.lagRecords, flow.exposure.records], [0, 300, 300])
    assert.ok(flow.exposure.seconds! > 0)

    await createTopics(west.bootstrap, [{ name: 'east.orders', partitions: 2 }])
    const { flow: prepared } = await status()
    assert.deepEqual(states(prepared), ['orders-0 not started', 'orders-1 not started'])
    assert.equal(prepared.exposure.records, 300)
  })

  it('is not held up by servers that stand still', async () => {
    await using still = await standingStill(4)
    const servers = [...still.servers, east.bootstrap].join(',')
    const { code, flow } = await status({ FARLOG_EAST_BOOTSTRAP_SERVERS: servers })
    assert.equal(code, 0)
    assert.deepEqual(flow.problems, [])
    assert.equal(flow.exposure.records, 300)
  })

  it('shows everything mirrored, also what nobody lived to commit', async () => {
    {
      await using worker = await startFarlog(env)
      await copiedUpTo(150, worker)
      const { flow } = await status()
      assert.deepEqual(states(flow), ['orders-0 mirrored', 'orders-1 mirrored'])
      assert.deepEqual([flow.workers, flow.exposure], [1, { records: 0, seconds: 0 }])
      await write(100)
      // The worker is killed before the next commit is due, so that only the destination's own records tell.
      await copiedUpTo(200, worker)
    }
    const { flow } = await status()
    assert.deepEqual(states(flow), ['orders-0 mirrored', 'orders-1 mirrored'])
    assert.ok(flow.partitions.every(isPast(200)))
  })

  it('shows how much is not mirrored while no worker runs', async () => {
    await write(500)
    const { code, flow } = await status()
    assert.equal(code, 0)
    assert.deepEqual(states(flow), ['orders-0 behind', 'orders-1 behind'])
    assert.equal(flow.totals.lagRecords, 500)
    for (const row of flow.partitions) {
      assert.equal(row.lagRecords, row.sourceEndOffset! - row.nextSourceOffset!)
      assert.ok(row.lagSeconds! > 0 && row.lagSeconds! < 60)
    }
    const shown = await runFarlog(['status', '--topics', 'ord.*'], env)
    assert.equal(shown.code, 0)
    assert.match(shown.stdout, /^2 partitions: 2 behind; lag 500 records, \d+\.\d s$/m)
    assert.match(shown.stdout, /^if east were lost now: 500 records, \d+\.\d s$/m)
    assert.equal(shown.stderr, '')
    assert.match((await runFarlog(['status', '--topics', 'other'], env)).stdout, /no topic is selected/)
  })

  it('shows what is known when a cluster cannot be reached, and exits 1', async () => {
    const [withoutWest, withoutEast] = await Promise.all([
      status({ FARLOG_WEST_BOOTSTRAP_SERVERS: nowhere }),
      status({ FARLOG_EAST_BOOTSTRAP_SERVERS: nowhere })
    ])
    for (const [cluster, { code, flow }] of Object.entries({ west: withoutWest, east: withoutEast })) {
      assert.equal(code, 1)
      assert.deepEqual(states(flow), ['orders-0 unreachable', 'orders-1 unreachable'])
      assert.deepEqual(flow.exposure, { records: null, seconds: null })
      assert.deepEqual(
        flow.problems.map(problem => problem.cluster),
        [cluster]
      )
      assert.ok(flow.problems[0]!.message.startsWith(`${cluster} (${nowhere}) cannot be reached: `))
    }
    assert.ok(withoutWest.flow.partitions.every(({ sourceEndOffset }) => sourceEndOffset === 450))
    assert.ok(withoutEast.flow.partitions.every(({ nextSourceOffset }) => nextSourceOffset === 200))
  })

  it('watches until Ctrl-C and then ends well', async () => {
    const { child, exit, signal } = spawnOwned([join(PROJECT_DIR, 'bin/farlog'), 'status', '--watch', '--json'], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const overviews: Overview[] = []
    for await (const line of createInterface(child.stdout!)) {
      overviews.push(JSON.parse(line))
      if (overviews.length === 2) signal('SIGINT')
    }
    assert.deepEqual(await exit, { code: 0, signal: null })
    const [first, second] = overviews
    assert.deepEqual(states(second!.flows[0]!), states(first!.flows[0]!))
    const [lagSeconds, lagSecondsLater] = overviews.map(({ flows }) => flows[0]!.totals.lagSeconds)
    const agedSeconds = lagSecondsLater! - lagSeconds!
    const rates = overviews.map(({ flows }) => flows[0]!.totals.mirroredRecordsPerSecond)
    assert.deepEqual(rates, [null, 0], 'known from the second look on')
    assert.ok(agedSeconds > 1 && agedSeconds < 5, `${agedSeconds} s older in the next observation`)
  })

  it('draws on a terminal, fits its window, and leaves it as it was when q is pressed', async () => {
    // So long that only the window's change can be why it is drawn again.
    const command = [join(PROJECT_DIR, 'bin/farlog'), 'status', '--watch', '--interval', '1h']
    const terminalEnv = { PATH: process.env.PATH, TERM: 'xterm', ...env }
    await using terminal = await startOnTerminal(command, terminalEnv, { rows: 24, columns: 60 })
    await until(() => terminal.written.includes('if east were lost now'), { describe: 'the first drawing' })
    const first = terminal.written
    assert.ok(first.includes('\x1b[?1049h\x1b[?25l'), 'the second screen, without a cursor')
    assert.ok(first.includes('\x1b[33mbehind\x1b[39m'), 'in colours')
    assert.ok(!first.includes('DESTINATION'), 'what says less has made room')

    terminal.resize({ rows: 9, columns: 160 })
    await until(() => terminal.written.length > first.length && terminal.written.endsWith('\x1b[J'), {
      describe: 'it to be drawn again'
    })
    const second = terminal.written.slice(first.length)
    assert.match(second, /… and 1 partition more, all behind/)

    terminal.type('q')
    assert.deepEqual(await terminal.exit, { code: 0, signal: null })
    const farewell = terminal.written.slice(first.length + second.length)
    assert.ok(farewell.includes('\x1b[?25h\x1b[?1049l'), 'the cursor, and what was there before')
  })

  it('uses no colours and no control sequences where they are not wanted', async () => {
    const command = [join(PROJECT_DIR, 'bin/farlog'), 'status']
    for (const unwanted of [{ TERM: 'xterm', NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      await using terminal = await startOnTerminal(command, { PATH: process.env.PATH, ...env, ...unwanted }, WINDOW)
      assert.deepEqual(await terminal.exit, { code: 0, signal: null })
      assert.match(terminal.written, /2 partitions: 2 behind/)
      const sequences = terminal.written.split('\x1b').slice(1)
      assert.ok(!sequences.some(sequence => /^\[[\d;]*m/.test(sequence)), JSON.stringify(terminal.written))
      if (unwanted.TERM === 'dumb') assert.deepEqual(sequences, [])
    }
  })

  it('shows what vanished at the source before it was mirrored', async () => {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: east.bootstrap.split(',') })
    try {
      await admin.deleteRecords({ topics: [{ name: 'orders', partitions: [{ partition: 0, offset: 210n }] }] })
    } finally {
      await admin.close()
    }
    const { code, flow } = await status()
    assert.equal(code, 0)
    assert.deepEqual(states(flow), ['orders-0 gap', 'orders-1 behind'])
    assert.match(flow.partitions[0]!.detail!, /^source offsets 200 to 209 of orders-0 were deleted/)
  })

  async function write(records: number): Promise<void> {
    await produce({ bootstrap: east.bootstrap, topics: [orders], records, shape: 'plain' })
  }

  async function status(changed: Record<string, string> = {}): Promise<{ code: number | null; flow: FlowOverview }> {
    const { code, stdout, stderr } = await runFarlog(['status', '--json'], { ...env, ...changed })
    assert.equal(stderr, '')
    return { code, flow: (JSON.parse(stdout) as Overview).flows[0]! }
  }
})

const WINDOW = { rows: 24, columns: 120 }

/** So many servers that take connections and never say a word. */
async function standingStill(count: number): Promise<AsyncDisposable & { readonly servers: string[] }> {
  const sockets = new Set<Socket>()
  const servers = Array.from({ length: count }, () => createServer(socket => sockets.add(socket)))
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    servers: servers.map(server => `127.0.0.1:${(server.address() as AddressInfo).port}`),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      for (const server of servers) await server[Symbol.asyncDispose]()
    }
  }
}

/** In the topic's order, which is not the order of need that they are shown in. */
function states({ partitions }: FlowOverview): string[] {
  return partitions.map(({ topic, partition, state }) => `${topic}-${partition} ${state}`).sort()
}

/** Both partitions are copied up to the offset, which says nothing of what is committed. */
async function copiedUpTo(offset: number, worker: FarlogProcess): Promise<void> {
  const isCopied = async () => {
    const { partitions } = (await worker.status()).flows[0]!
    return partitions.length === 2 && partitions.every(isPast(offset))
  }
  await until(isCopied, { describe: `the copy up to offset ${offset}` })
}

function isPast(offset: number): (row: Pick<PartitionRow, 'nextSourceOffset'>) => boolean {
  return ({ nextSourceOffset }) => nextSourceOffset !== null && nextSourceOffset >= offset
}
