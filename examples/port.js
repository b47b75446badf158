'use strict'

/**
 * The port that the variable PORT names; ends the process where it names none.
 * @param {number} otherwise where PORT is not set
 */
function portOr (otherwise) {
  const text = process.env.PORT
  if (text === undefined || text === '') return otherwise
  if (/^\d+$/.test(text) && Number(text) < 65536) return Number(text)
  console.error(`PORT must be a number from 0 to 65535, and is ${JSON.stringify(text)}.`)
  process.exit(1)
}

module.exports = { portOr }
