/**
 * lz4 and snappy by the WebAssembly module of @platformatic/wasm-utils, in an instance of our own.
 *
 * The package's own functions copy each result into a fresh buffer. Such buffers lie outside of the heap, and a
 * megabyte or two of them for each megabyte copied has the garbage collector at work for longer than the codec. Here
 * the result is read where the module left it. And what the package can't do: where damaged bytes make the module trap,
 * it keeps what it had taken, so the instance is thrown away and made anew.
 */
import { readFileSync } from 'node:fs'

/** The part of WebAssembly's interface that is used; the types of Node alone do not have it. */
interface WasmModule {
  readonly isCompiled?: never
}
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (module: WasmModule) => { readonly exports: unknown }
}

export type WasmCodec = 'lz4_decompress' | 'snappy_compress' | 'snappy_decompress'

interface Exports extends Record<WasmCodec, (pointer: number, length: number) => bigint> {
  readonly memory: { readonly buffer: ArrayBuffer }
  alloc(length: number): number
  dealloc(pointer: number, length: number): void
}

const INPUT_BYTES_MIN = 64 * 1024
/** The module's memory never shrinks: an instance that has grown beyond this by one huge batch is not kept. */
const KEPT_MEMORY_BYTES_MAX = 32 * 1024 * 1024

let compiled: WasmModule | undefined
/** One for each codec, so that what one of them left in its memory stays until its own next call. */
const instances = new Map<WasmCodec, Instance>()

/** Gives up the instances that a huge batch has made grow; the view of their result is gone with that. */
export function dropLargeWasmInstances(): void {
  for (const [codec, instance] of instances) {
    if (instance.memoryBytes > KEPT_MEMORY_BYTES_MAX) instances.delete(codec)
  }
}

/**
 * Runs a codec on bytes.
 * @returns a view of the result, which is gone with the next call for the same codec
 * @throws whatever the module traps with where the bytes are not what the codec makes
 */
export function runWasmCodec(codec: WasmCodec, input: Uint8Array): Buffer {
  let instance = instances.get(codec)
  if (instance === undefined) {
    instance = new Instance(codec)
    instances.set(codec, instance)
  }
  try {
    return instance.run(input)
  } catch (error) {
    instances.delete(codec)
    throw error
  }
}

class Instance {
  readonly #codec: WasmCodec
  readonly #exports: Exports
  #input: number
  #inputBytes = INPUT_BYTES_MIN
  /** The last result, which the module keeps until it is told. */
  #output = 0
  #outputBytes = 0
  #memory: Buffer

  constructor(codec: WasmCodec) {
    this.#codec = codec
    // Beside the package's entry; there is no other way to it.
    compiled ??= new WebAssembly.Module(
      readFileSync(new URL('native.wasm', import.meta.resolve('@platformatic/wasm-utils')))
    )
    this.#exports = new WebAssembly.Instance(compiled).exports as Exports
    this.#input = this.#exports.alloc(this.#inputBytes)
    this.#memory = Buffer.from(this.#exports.memory.buffer)
  }

  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength
  }

  run(input: Uint8Array): Buffer {
    if (this.#outputBytes > 0) this.#exports.dealloc(this.#output, this.#outputBytes)
    this.#outputBytes = 0
    this.#makeRoom(input.length)
    this.#view().set(input, this.#input)
    const result = this.#exports[this.#codec](this.#input, input.length)
    this.#output = Number(result >> 32n)
    this.#outputBytes = Number(BigInt.asUintN(32, result))
    return this.#view().subarray(this.#output, this.#output + this.#outputBytes)
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#inputBytes) return
    this.#exports.dealloc(this.#input, this.#inputBytes)
    this.#inputBytes = bytes
    this.#input = this.#exports.alloc(bytes)
  }

  /** A view is empty once the memory has grown. */
  #view(): Buffer {
    if (this.#memory.length === 0) this.#memory = Buffer.from(this.#exports.memory.buffer)
    return this.#memory
  }
}
