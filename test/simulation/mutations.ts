/**
 * Mistakes made on purpose, each in the order that exactly once rests on, to see that the simulation finds them. A mutation
 * replaces text of a file in `src` while Node loads it; nothing on the disk changes.
 */
import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'

interface Replacement {
  /** Below `src`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

const MUTATIONS: Readonly<Record<string, readonly Replacement[]>> = {
  /** The end is read before the fence: a zombie writes in between, unseen. */
  'end-before-fence': [
    {
      file: 'flow/partition-mirror.ts',
      from: `          const identity = await this.#fence(signal)
          await this.#assertMayMirror()
          this.#state = 'resuming'
          return { identity, progress: await this.#resume(signal) }`,
      to: `          const progress = await this.#resume(signal)
          const identity = await this.#fence(signal)
          await this.#assertMayMirror()
          return { identity, progress }`
    }
  ],
  /** Whether the flow is stopped is read before the fence: who stops it in between fences first, and is fenced out. */
  'order-before-fence': [
    {
      file: 'flow/partition-mirror.ts',
      from: `          const identity = await this.#fence(signal)
          await this.#assertMayMirror()
`,
      to: `          await this.#assertMayMirror()
          const identity = await this.#fence(signal)
`
    }
  ],
  /** Whether the flow is stopped is only heard of now and then. */
  'order-not-read': [{ file: 'flow/partition-mirror.ts', from: '          await this.#assertMayMirror()\n', to: '' }],
  /** A failed batch is sent again while later ones are in flight: behind them. */
  'retry-at-once': [
    {
      file: 'destination/partition-writer.ts',
      from: 'return { retryDue: this.#hasFailed && this.#inFlight === 0 }',
      to: 'return { retryDue: this.#hasFailed }'
    },
    { file: 'destination/partition-writer.ts', from: 'if (this.#inFlight > 0) return\n', to: '' }
  ],
  /** Several batches are in flight before the leader knows the producer: it takes the second one for the first. */
  'many-at-first': [
    {
      file: 'destination/partition-writer.ts',
      from: 'return this.#nowMs() - this.#knownAtMs < LEADER_REMEMBERS_MS ? IN_FLIGHT_BATCHES_MAX : 1',
      to: 'return IN_FLIGHT_BATCHES_MAX'
    }
  ],
  /** Progress is told when a batch is sent, not when it is acknowledged. */
  'progress-before-acknowledgement': [
    {
      file: 'destination/partition-writer.ts',
      from: "    batch.state = 'sent'\n",
      to: "    batch.state = 'sent'\n    this.#listener.progressed(batch.nextSourceOffset, undefined)\n"
    }
  ],
  /** What is held back is let go a little too early. */
  'before-it-is-due': [{ file: 'lag/delay.ts', from: 'if (dueAtMs > nowMs) {\n', to: 'if (dueAtMs > nowMs + 100) {\n' }]
}

/** Names of all mutations. */
export const MUTATION_NAMES: readonly string[] = Object.keys(MUTATIONS)

/** From now on, files of `src` are loaded with this mutation in them. */
export function mutateSources(name: string): void {
  const replacements = MUTATIONS[name]
  assert.ok(replacements !== undefined, `no mutation ${name}; there are ${MUTATION_NAMES.join(', ')}`)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const own = replacements.filter(({ file }) => url.endsWith(`/src/${file}`))
      if (own.length === 0) return loaded
      let source = String(loaded.source)
      for (const { file, from, to } of own) {
        assert.equal(source.split(from).length, 2, `${file} holds the mutated text once: ${from}`)
        source = source.replace(from, to)
      }
      return { ...loaded, source }
    }
  })
}
