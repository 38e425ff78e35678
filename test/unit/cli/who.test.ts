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
    assert.equal(whoami(nameless), `${process.getuid!()}@${hostname()}`)
  })
})
