/**
 * Codes in which frequent symbols are short (Huffman's), none longer than a limit, in the canonical form that is told by
 * the lengths alone (RFC 1951, 3.2.2).
 */
export class PrefixCode {
  /** By symbol: how many bits its code has, 0 where it does not occur. */
  readonly lengths: Uint8Array
  /** By symbol: its code, the first bit lowest. */
  readonly codes: Uint16Array
  /** Behind the last symbol that occurs. */
  usedSymbols = 0
  readonly #longest: number
  /** The symbols that occur, the rarest first. */
  readonly #order: Int32Array
  readonly #keys: Float64Array
  /** Of a tree's nodes, leaves first: how often it occurs, and which node it hangs from; then how deep it is. */
  readonly #weights: Float64Array
  readonly #parents: Int32Array
  readonly #codesOfLength: Int32Array

  constructor(symbols: number, longest: number) {
    this.lengths = new Uint8Array(symbols)
    this.codes = new Uint16Array(symbols)
    this.#longest = longest
    this.#order = new Int32Array(symbols)
    this.#keys = new Float64Array(symbols)
    this.#weights = new Float64Array(symbols * 2)
    this.#parents = new Int32Array(symbols * 2)
    this.#codesOfLength = new Int32Array(symbols + 1)
  }

  /** @param counts how often each symbol occurs */
  build(counts: Int32Array): void {
    this.lengths.fill(0)
    const used = this.#sort(counts)
    this.#codesOfLength.fill(0)
    if (used === 1) this.#codesOfLength[1] = 1
    else if (used > 1) this.#countLengths(used)
    // The rarest have the longest codes.
    let next = 0
    for (let length = this.#longest; length > 0; length--) {
      for (let i = this.#codesOfLength[length]!; i > 0; i--) this.lengths[this.#order[next++]!] = length
    }
    this.#number()
  }

  #sort(counts: Int32Array): number {
    const symbols = counts.length
    let used = 0
    this.usedSymbols = 0
    for (let symbol = 0; symbol < symbols; symbol++) {
      if (counts[symbol] === 0) continue
      this.#keys[used++] = counts[symbol]! * symbols + symbol
      this.usedSymbols = symbol + 1
    }
    this.#keys.subarray(0, used).sort()
    for (let i = 0; i < used; i++) {
      this.#order[i] = this.#keys[i]! % symbols
      this.#weights[i] = Math.floor(this.#keys[i]! / symbols)
    }
    return used
  }

  /** Joins the two lightest nodes again and again; joined ones come in the order of their weights by themselves. */
  #countLengths(used: number): void {
    const weights = this.#weights
    const parents = this.#parents
    const root = 2 * used - 2
    let leaf = 0
    let joined = used
    for (let node = used; node <= root; node++) {
      weights[node] = 0
      for (let child = 0; child < 2; child++) {
        const isLeaf = leaf < used && (joined === node || weights[leaf]! <= weights[joined]!)
        const lightest = isLeaf ? leaf++ : joined++
        weights[node]! += weights[lightest]!
        parents[lightest] = node
      }
    }
    const depths = parents
    depths[root] = 0
    for (let node = root - 1; node >= 0; node--) {
      depths[node] = depths[parents[node]!]! + 1
      if (node < used) this.#codesOfLength[Math.min(depths[node]!, this.#longest)]!++
    }
    this.#makeRoom()
  }

  /**
   * Codes that were too long have been cut to the limit, for which there is no room: of all codes of a length there are
   * 2^length. While there are too many, a code of the limit's takes the place beside another one, which gets a bit longer.
   */
  #makeRoom(): void {
    const longest = this.#longest
    let taken = 0
    for (let length = 1; length <= longest; length++) taken += this.#codesOfLength[length]! << (longest - length)
    for (; taken > 1 << longest; taken--) {
      let shorter = longest - 1
      while (this.#codesOfLength[shorter] === 0) shorter--
      this.#codesOfLength[longest]!--
      this.#codesOfLength[shorter]!--
      this.#codesOfLength[shorter + 1]! += 2
    }
  }

  #number(): void {
    const next = new Uint16Array(this.#longest + 1)
    for (let length = 1, code = 0; length <= this.#longest; length++) {
      next[length] = code
      code = (code + this.#codesOfLength[length]!) << 1
    }
    for (let symbol = 0; symbol < this.usedSymbols; symbol++) {
      const length = this.lengths[symbol]!
      if (length > 0) this.codes[symbol] = reversed(next[length]!++, length)
    }
  }
}

/** A code's bits the other way round. */
export function reversed(code: number, length: number): number {
  let result = 0
  for (let i = 0; i < length; i++) result |= ((code >>> i) & 1) << (length - 1 - i)
  return result
}
