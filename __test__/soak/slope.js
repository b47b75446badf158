'use strict'

/** How much `y` grows with one of `x`: the line that is nearest to all points (least squares). */
function slope (x, y) {
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length
  const [middle, height] = [mean(x), mean(y)]
  let above = 0
  let below = 0
  for (let i = 0; i < x.length; i++) {
    above += (x[i] - middle) * (y[i] - height)
    below += (x[i] - middle) ** 2
  }
  return below === 0 ? 0 : above / below
}

module.exports = { slope }
