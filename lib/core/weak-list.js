'use strict'

/** Lists objects, in their order, without holding them. */

/** Entries up to which a list is not cleared of what is gone. */
const FEW = 64

class WeakList {
  #references = []
  #clearAt = FEW
  #isGone

  /** @param {(object: object) => boolean} isGone true of what need not be listed any more */
  constructor (isGone = () => false) {
    this.#isGone = isGone
  }

  add (object) {
    if (this.#references.push(new WeakRef(object)) <= this.#clearAt) return
    this.#references = this.all().map((each) => new WeakRef(each))
    this.#clearAt = Math.max(FEW, 2 * this.#references.length)
  }

  /** Gives those that are there. */
  all () {
    return this.#references.map((reference) => reference.deref()).filter((object) => object !== undefined && !this.#isGone(object))
  }
}

module.exports = { WeakList }
