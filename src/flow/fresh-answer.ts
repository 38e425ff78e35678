/**
 * One question to a cluster, asked for all who want to know at the same time, and never answered by what was under way before
 * somebody asked: what he wants to know may have happened in between.
 *
 *     asks        A      B  C           A hears answer 1; B and C, who asked while it was under way, hear answer 2
 *     question    1───────▶ 2───────▶
 */
export class FreshAnswer<Answer> {
  readonly #ask: () => Promise<Answer>
  #current: Promise<Answer> | undefined
  #next: Promise<Answer> | undefined

  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask
  }

  /** The answer to a question that is asked after this call. @throws what asking throws */
  get(): Promise<Answer> {
    if (this.#next !== undefined) return this.#next
    if (this.#current === undefined) return this.#begin()
    const begin = () => this.#begin()
    this.#next = this.#current.then(begin, begin)
    return this.#next
  }

  #begin(): Promise<Answer> {
    this.#next = undefined
    const asking = this.#ask().finally(() => {
      if (this.#current === asking) this.#current = undefined
    })
    this.#current = asking
    return asking
  }
}
