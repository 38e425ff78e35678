/**
 * Records of one side that the other side does not have. Where the topic is compacted they are no fault once the other
 * side turns out to have a newer record of the key, since then the cleaner may have been quicker there.
 */
export class Unpaired {
  readonly #isCompacted: boolean
  readonly #keyByOffset = new Map<number, string>()
  /** Source offsets, ascending; only where the topic is compacted. */
  readonly #offsetsByKey = new Map<string, number[]>()

  constructor(isCompacted: boolean) {
    this.#isCompacted = isCompacted
  }

  /** Source offsets, in the order in which they were passed. */
  get sourceOffsets(): number[] {
    return [...this.#keyByOffset.keys()]
  }

  add(key: string, sourceOffset: number): void {
    this.#keyByOffset.set(sourceOffset, key)
    if (!this.#isCompacted) return
    const offsets = this.#offsetsByKey.get(key)
    if (offsets) offsets.push(sourceOffset)
    else this.#offsetsByKey.set(key, [sourceOffset])
  }

  /** The other side has this one: returns how many older ones of its key need no partner any more. */
  newer(key: string, sourceOffset: number): number {
    const offsets = this.#offsetsByKey.get(key)
    if (!offsets) return 0
    const older = offsets.filter(offset => offset < sourceOffset)
    for (const offset of older) this.#keyByOffset.delete(offset)
    const left = offsets.slice(older.length)
    if (left.length > 0) this.#offsetsByKey.set(key, left)
    else this.#offsetsByKey.delete(key)
    return older.length
  }

  /** It has turned up after all; `false` where it was not missed. */
  takeBack(sourceOffset: number): boolean {
    const key = this.#keyByOffset.get(sourceOffset)
    if (key === undefined) return false
    this.#keyByOffset.delete(sourceOffset)
    const offsets = this.#offsetsByKey.get(key)
    offsets?.splice(offsets.indexOf(sourceOffset), 1)
    return true
  }
}
