import type { Socket } from 'node:net'

/** What a socket has inside (Node's lib/net.js and lib/internal/stream_base_commons.js). */
interface SocketInside {
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null
  [symbol: symbol]: unknown
}

/**
 * Has a connected socket read into memory of ours, from its next read on, in place of fresh 64 KiB chunks: for each
 * gigabyte those are sixteen thousand allocations outside of the heap, and the collector's work for them was half of
 * all processor time.
 *
 * It is what the option `onread` of `net.connect` and `tls.connect` does; but that can only be given when a socket is
 * made, and these are made by the client library. So the option's three fields are filled in later, where this Node
 * has them as expected. Where not, nothing is changed, and the caller listens to `data`.
 *
 * @param target where the next read may write; asked before each read, must not be empty
 * @param filled so many bytes of the last target were written
 * @returns whether the socket reads this way now
 */
export function readDirectly(
  socket: Socket,
  target: () => Buffer,
  filled: (bytes: number, target: Buffer) => void
): boolean {
  const inside = socket as unknown as SocketInside
  const [buffer, generator, callback] = ['kBuffer', 'kBufferGen', 'kBufferCb'].map(name =>
    Object.getOwnPropertySymbols(socket).find(symbol => symbol.description === name)
  )
  const handle = inside._handle
  if (buffer === undefined || generator === undefined || callback === undefined) return false
  if (typeof handle?.useUserBuffer !== 'function') return false
  const first = target()
  inside[buffer] = first
  inside[generator] = target
  inside[callback] = (bytes: number, written: Buffer) => {
    filled(bytes, written)
    return true
  }
  handle.useUserBuffer(first)
  return true
}
