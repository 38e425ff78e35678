import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCli } from '../../../src/cli/cli.ts'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { parseOptions } from '../../../src/cli/parse-options.ts'
import { assertWritable } from '../../../src/cli/writable-file.ts'
import { environment } from '../config/environment.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs farlog as a user would, with nothing but the given variables. */
function farlog(args: string[], env: NodeJS.ProcessEnv = {}, user: { uid?: number; gid?: number } = {}) {
  return new Promise<Outcome>(resolve => {
    const child: ChildProcess = execFile(process.execPath, [MAIN, ...args], { env, ...user }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr })
    )
  })
}

describe('farlog', () => {
  it('shows its commands without arguments and with --help', async () => {
    const [bare, help, short] = await Promise.all([farlog([]), farlog(['--help']), farlog(['-h'])])
    assert.equal(help.code, 0)
    assert.equal(help.stderr, '')
    for (const { name } of COMMANDS) assert.match(help.stdout, new RegExp(`^  ${name} +\\S`, 'm'))
    assert.deepEqual(bare, help)
    assert.deepEqual(short, help)
  })

  it('shows its version', async () => {
    const { code, stdout } = await farlog(['--version'])
    assert.equal(code, 0)
    assert.match(stdout, /^farlog \d+\.\d+\.\d+\n$/)
  })

  it('suggests a command for an unknown one', async () => {
    const { code, stdout, stderr } = await farlog(['stauts'])
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.equal(stderr, "farlog: unknown command 'stauts'; did you mean status? (see farlog --help)\n")
  })

  it('names the option that does not exist', async () => {
    assert.deepEqual(await farlog(['--verison']), {
      code: 2,
      stdout: '',
      stderr: "farlog: unknown option '--verison'; did you mean --version? (see farlog --help)\n"
    })
    assert.deepEqual(await farlog(['config', '--yaml']), {
      code: 2,
      stdout: '',
      stderr: "farlog config: unknown option '--yaml' (see farlog config --help)\n"
    })
  })

  it('suggests the option that was meant', async () => {
    const mistyped: readonly [args: string, complaint: string][] = [
      [
        'verify --alow-lag',
        "farlog verify: unknown option '--alow-lag'; did you mean --allow-lag? (see farlog verify --help)"
      ],
      ['status --watsh', "farlog status: unknown option '--watsh'; did you mean --watch? (see farlog status --help)"],
      [
        'failover --dryrun --json',
        "farlog failover: unknown option '--dryrun'; did you mean --dry-run? (see farlog failover --help)"
      ],
      ['config -j', "farlog config: unknown option '-j' (see farlog config --help)"],
      [
        'completion bsh',
        "farlog completion: unknown 'bsh'; did you mean bash? SHELL is one of bash, zsh, fish (see farlog completion --help)"
      ],
      ['completion', 'farlog completion: SHELL is one of bash, zsh, fish (see farlog completion --help)']
    ]
    for (const [args, complaint] of mistyped) {
      const written = { out: '', err: '' }
      const code = await runCli(
        args.split(' '),
        {},
        {
          out: text => (written.out += text),
          err: text => (written.err += text)
        }
      )
      assert.deepEqual({ code, ...written }, { code: 2, out: '', err: `${complaint}\n` })
    }
  })

  it('helps with a command by `help` as by `--help`', async () => {
    const [byWord, byOption, all, overview] = await Promise.all([
      farlog(['help', 'config']),
      farlog(['config', '--help']),
      farlog(['help']),
      farlog(['--help'])
    ])
    assert.equal(byWord.code, 0)
    assert.deepEqual(byWord, byOption)
    assert.deepEqual(all, overview)
    assert.match((await farlog(['help', 'confg'])).stderr, /did you mean config\?/)
  })

  it('loads no Kafka client to show its commands', async () => {
    const { stdout } = await farlog(['--help'], { NODE_DEBUG: '' })
    assert.match(stdout, /Usage/)
    const traced = await new Promise<string>(resolve =>
      execFile(
        process.execPath,
        [
          '--import',
          `data:text/javascript,process.on('exit', () => process.stderr.write(process.report.getReport().sharedObjects.join('\\n')))`,
          MAIN,
          '--help'
        ],
        { env: {} },
        (_, __, stderr) => resolve(stderr)
      )
    )
    assert.match(traced, /libc/)
    assert.doesNotMatch(traced, /librdkafka|confluent-kafka|\.node$/m)
  })

  it('goes quietly when nobody reads its output any more', async () => {
    const child = spawn(process.execPath, [MAIN, 'config', '--markdown'], {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe']
    })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', chunk => {
      stderr += chunk
    })
    const [code] = await once(child, 'close')
    assert.equal(stderr, '')
    assert.equal(code, 141)
  })
})

/** As in the image, and in most pods. */
describe('a user who is a number without a name', function () {
  this.timeout(20_000)

  const NAMELESS = { uid: 10_001, gid: 10_001 }
  const env = environment({
    FARLOG_EAST_BOOTSTRAP_SERVERS: '127.0.0.1:1',
    FARLOG_WEST_BOOTSTRAP_SERVERS: '127.0.0.1:2'
  })

  // Only root may become somebody else.
  before(function () {
    if (process.getuid?.() !== 0) this.skip()
  })

  it('gets as far as the clusters with commands that say who gives them', async () => {
    const tried = ['start', 'failover --dry-run', 'verify', 'verify --continuous']
    const outcomes = await Promise.all(tried.map(args => farlog(args.split(' '), env, NAMELESS)))
    for (const [index, { stderr }] of outcomes.entries()) assert.match(stderr, /ECONNREFUSED/, tried[index]!)
    // 1 would say that there are differences.
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [1, 1, 2, 2]
    )
  })
})

describe('commands', () => {
  for (const entry of COMMANDS) {
    it(`${entry.name}: its help tells of every option, and of none that there is not`, async () => {
      const { command } = await entry.load()
      const known = Object.keys(command.options).map(option => `--${option}`)
      const told = [...command.help.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option]) => option!)
      assert.deepEqual([...new Set(told)].toSorted(), known.toSorted())
      for (const [option, { type }] of Object.entries(command.options)) {
        const line = new RegExp(`^ {2}--${option}(.*)$`, 'm').exec(command.help)![1]!
        assert.equal(/^ ([A-Z]+|keep|skip)( |$)/.test(line), type === 'string', `--${option}${line}: ${type}`)
      }
    })

    it(`${entry.name}: each example can be parsed`, async () => {
      const { command } = await entry.load()
      const [, examples] = /^Examples?:\n([\s\S]+)$/m.exec(command.help)!
      for (const line of examples!.replaceAll('\\\n', ' ').split('\n')) {
        for (const part of line.split(/\| | && |<\(| >>? /)) {
          const [, name, rest = ''] = /farlog ([a-z0-9-]+)((?: (?! )[^ ]+)*)/.exec(part) ?? []
          if (name === undefined) continue
          const found = COMMANDS.find(each => each.name === name)
          assert.ok(found, `${name} in: ${line}`)
          parseOptions((await found.load()).command, words(rest.replace(/\).*$/, '')))
        }
      }
    })

    it(`${entry.name}: its file and the overview agree`, async function () {
      if (!existsSync(new URL(`../../../src/cli/${entry.name}.ts`, import.meta.url))) this.skip()
      const { command } = await entry.load()
      assert.equal(command.name, entry.name)
      assert.equal(command.summary, entry.summary)
      const [, examples] = /^Examples?:\n([\s\S]+)$/m.exec(command.help) ?? []
      assert.ok(examples, 'its help ends in examples')
      assert.match(examples, new RegExp(`^  .*\\bfarlog ${entry.name}\\b`, 'm'))
    })
  }
})

/** As a shell splits them, so far as examples need it. */
function words(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
}

describe('farlog verify', () => {
  const contradictions: readonly [options: string, problem: RegExp][] = [
    ['--full --no-remember', /--full compares with what is remembered/],
    ['--full --continuous', /--full has an end/],
    ['--max-bytes-per-second 1MiB', /needs --continuous/],
    ['--continuous --max-bytes-per-second 1KiB', /--max-bytes-per-second "1KiB" is too small: use at least 16KiB/]
  ]
  for (const [options, problem] of contradictions) {
    it(`refuses ${options}`, async () => {
      const { code, stdout, stderr } = await farlog(['verify', ...options.split(' ')], environment({}))
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, problem)
    })
  }
})

describe('a file that a command is to leave', () => {
  const folder = mkdtempSync(join(tmpdir(), 'farlog-cli-'))
  after(() => rmSync(folder, { recursive: true }))

  it('is tried before anything is asked or ordered', async () => {
    const path = join(folder, 'nowhere', 'file')
    const written = { failover: '--report', failback: '--export' }
    await Promise.all(
      Object.entries(written).map(async ([command, option]) => {
        const { code, stdout, stderr } = await farlog([command, option, path], environment({}))
        assert.deepEqual([code, stdout], [2, ''])
        assert.equal(
          stderr,
          `farlog ${command}: ${option} ${path} can’t be written: ENOENT; in a pod, name a file below /tmp (see farlog ${command} --help)\n`
        )
      })
    )
  })

  it('may be there already, and is not touched by the trial, which leaves nothing', async () => {
    const kept = join(folder, 'kept')
    writeFileSync(kept, 'of an earlier run')
    await assertWritable('--report', kept)
    await assertWritable('--report', join(folder, 'new'))
    assert.deepEqual(readdirSync(folder), ['kept'])
    assert.equal(readFileSync(kept, 'utf8'), 'of an earlier run')
    await assert.rejects(assertWritable('--report', folder), /can’t be written: it is a folder/)
  })
})

describe('farlog config', () => {
  it('shows its help with examples', async () => {
    const { code, stdout } = await farlog(['config', '--help'])
    assert.equal(code, 0)
    assert.match(stdout, /^Usage: farlog config \[OPTIONS\]$/m)
    assert.match(stdout, /^Examples:$/m)
  })

  it('shows values and where they came from', async () => {
    const { code, stdout, stderr } = await farlog(['config'], environment({ FARLOG_THREADS: '2' }))
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, /^FARLOG_THREADS +\S* *= 2 {2}\[environment\]$/m)
    assert.match(stdout, /^FARLOG_ON_GAP +\S* *= halt {2}\[default\]$/m)
    assert.match(stdout, /^FARLOG_REPLICATION_FACTOR +\S* *= \(not set\) {2}\[default\]$/m)
  })

  it('shows the same as JSON, without secrets', async () => {
    const env = environment({
      FARLOG_EAST_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      FARLOG_EAST_SASL_MECHANISM: 'PLAIN',
      FARLOG_EAST_SASL_USERNAME: 'u',
      FARLOG_EAST_SASL_PASSWORD: 'hunter2'
    })
    const [asJson, asText] = await Promise.all([farlog(['config', '--json'], env), farlog(['config'], env)])
    assert.equal(asJson.code, 0)
    const { variables, problems } = JSON.parse(asJson.stdout)
    assert.deepEqual(problems, [])
    const password = variables.find(({ variable }: { variable: string }) => variable === 'FARLOG_EAST_SASL_PASSWORD')
    assert.equal(password.value, '******')
    assert.equal(password.origin, 'environment')
    assert.ok(!(asJson.stdout + asText.stdout).includes('hunter2'))
  })

  it('exits 78 with a line for each problem', async () => {
    const { code, stderr } = await farlog(['config'], environment({ FARLOG_ONGAP: 'halt', FARLOG_THREADS: '0' }))
    assert.equal(code, 78)
    assert.deepEqual(stderr.trimEnd().split('\n'), [
      'FARLOG_THREADS: "0" is out of range; use a whole number from 1 to 64',
      'FARLOG_ONGAP: unknown variable; did you mean FARLOG_ON_GAP?'
    ])
  })

  it('prints the reference without any configuration', async () => {
    const { code, stdout, stderr } = await farlog(['config', '--markdown'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, /^\| `FARLOG_TOPICS` \| `\.\*` \|/m)
  })

  it('does not take --json and --markdown together', async () => {
    const { code, stderr } = await farlog(['config', '--json', '--markdown'])
    assert.equal(code, 2)
    assert.match(stderr, /exclude each other/)
  })
})
