/** A test that repeats at length what shorter ones show: run with `FARLOG_TEST_LONG=1`, as before a release. */
export const itAtLength = isAtLength() ? it : it.skip

/** The same, for tests that are made of lists. */
export function isAtLength(): boolean {
  return process.env.FARLOG_TEST_LONG === '1'
}
