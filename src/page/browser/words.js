/**
 * Two digits at most, on the charts and in the sentences that the worker makes: `0 s`, `4 ms`, `0.4 s`, `12 s`, `5 min`, `3.5 h`, `2 days`.
 *
 * @param {number} seconds
 */
export function inWords(seconds) {
  if (seconds <= 0) return '0 s'
  if (seconds < 0.1) return `${Math.max(1, Math.round(seconds * 1_000))} ms`
  if (seconds < 119.5) return `${trimmed(seconds)} s`
  if (seconds < 119.5 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 47.5 * 3_600) return `${trimmed(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

/** @param {number} amount */
function trimmed(amount) {
  return amount < 9.95 ? amount.toFixed(1).replace('.0', '') : String(Math.round(amount))
}
