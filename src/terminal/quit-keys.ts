/** Where keys come from: a terminal's input. */
export interface KeyInput {
  readonly isTTY?: boolean | undefined
  setRawMode(isRaw: boolean): unknown
  on(event: 'data', listener: (keys: Buffer) => void): unknown
  off(event: 'data', listener: (keys: Buffer) => void): unknown
  pause(): unknown
}

const CTRL_C = 0x03
const QUIT_KEYS = new Set([CTRL_C, ...Buffer.from('qQ')])

/** Calls back for `q`, and for Ctrl-C, which a terminal that gives single keys no longer turns into a signal. */
export function onQuitKey(input: KeyInput, quit: () => void): Disposable {
  if (input.isTTY !== true) return { [Symbol.dispose]: () => {} }
  const listener = (keys: Buffer) => {
    if (keys.some(key => QUIT_KEYS.has(key))) quit()
  }
  input.setRawMode(true)
  input.on('data', listener)
  return {
    [Symbol.dispose]: () => {
      input.off('data', listener)
      input.setRawMode(false)
      // Reading would keep the process alive.
      input.pause()
    }
  }
}
