import assert from 'node:assert/strict'
import { hostname, userInfo } from 'node:os'
import { whoami } from '../../../src/cli/who.ts'

describe('who gives a command', () => {
  it('is the user and the host', () => {
    assert.equal(whoami(), `${userInfo().username}@${hostname()}`)
  })

  it('is a number where the user has no name, as in a container', () => {
    const nameless = () => {
      throw new Error('A system error occurred: uv_os_get_passwd returned ENOENT')
    }
    const user = process.env.USER
    delete process.env.USER
    try {
      assert.equal(whoami(nameless), `uid ${process.getuid!()}@${hostname()}`)
    } finally {
      if (user !== undefined) process.env.USER = user
    }
  })
})
