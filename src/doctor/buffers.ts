/**
 * Whether buffers hold what is under way: with a window of so many bytes no more than window / round trip comes through,
 * however wide the link is. Pure.
 */
import type { BrokerSettings } from './cluster-checks.ts'
import { megabytes } from './cluster-checks.ts'
import { Notes, type Tell } from './finding.ts'

/** Something on the way that holds at most so many bytes of one connection that nobody has acknowledged yet. */
export interface Window {
  readonly name: string
  readonly bytes: number
  readonly remedy: string
}

export interface BufferFacts {
  readonly alias: string
  readonly role: 'source' | 'destination'
  readonly roundTripMs: number
  readonly settings: BrokerSettings | undefined
  /** The third number of Linux' tcp_rmem (source) or tcp_wmem (destination); `undefined` on other systems. */
  readonly kernelBytesMax: number | undefined
}

/** Below that one connection is a bottleneck for most. */
const CONNECTION_BYTES_PER_SECOND_MIN = 25e6
/** A next-door cluster: no window is too small for it. */
const NEAR_MS = 5

export function checkBuffers(facts: BufferFacts, tell: Tell): void {
  const { alias, roundTripMs } = facts
  const notes = new Notes('buffers', alias, tell)
  if (roundTripMs < NEAR_MS) {
    notes.ok(`a round trip of ${roundTripMs.toFixed(1)} ms needs no large windows`)
    return
  }
  const windows = windowsOf(facts)
  const narrow = windows.filter(({ bytes }) => rate(bytes, roundTripMs) < CONNECTION_BYTES_PER_SECOND_MIN)
  const needed = Math.ceil((CONNECTION_BYTES_PER_SECOND_MIN * roundTripMs) / 1000 / 1024)
  for (const { name, bytes, remedy } of narrow) {
    const most = megabytes(rate(bytes, roundTripMs))
    notes.warning(
      `${name} is ${bytes} bytes: at a round trip of ${roundTripMs.toFixed(0)} ms no more than ${most}/s come through a connection`,
      `${remedy} (${needed} KiB let 25 MB/s through)`
    )
  }
  if (windows.length === 0) {
    notes.skipped('neither the brokers nor this system tell how large their buffers are')
    return
  }
  if (narrow.length > 0) return
  const least = Math.min(...windows.map(({ bytes }) => bytes))
  notes.ok(
    `a connection can carry ${megabytes(rate(least, roundTripMs))}/s over a round trip of ${roundTripMs.toFixed(0)} ms`
  )
}

function rate(bytes: number, roundTripMs: number): number {
  return (bytes / roundTripMs) * 1000
}

/** Data flows from the source's brokers to us, and from us to the destination's. A broker's -1 leaves it to its system. */
function windowsOf({ alias, role, settings, kernelBytesMax }: BufferFacts): Window[] {
  const [brokerName, kernelName] =
    role === 'source' ? ['socket.send.buffer.bytes', 'tcp_rmem'] : ['socket.receive.buffer.bytes', 'tcp_wmem']
  const brokerBytes = Number(settings?.get(brokerName!) ?? -1)
  return [
    ...(brokerBytes > 0
      ? [
          {
            name: `${brokerName} of ${alias}'s brokers`,
            bytes: brokerBytes,
            remedy: 'set it to -1, so that their system adapts it'
          }
        ]
      : []),
    ...(kernelBytesMax === undefined
      ? []
      : [
          {
            name: `the largest ${kernelName} of this system`,
            bytes: kernelBytesMax,
            remedy: `raise net.ipv4.${kernelName}`
          }
        ])
  ]
}
