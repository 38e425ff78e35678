/** A test that repeats at length what shorter ones show: run with `FARLOG_TEST_LONG=1`, as CI does. */
export const itAtLength = process.env.FARLOG_TEST_LONG === '1' ? it : it.skip
