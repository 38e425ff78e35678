import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { ClusterError } from '../../../src/cluster/errors.ts'
import { GroupWatch } from '../../../src/page/group-watch.ts'
import { until } from '../../support/wait.ts'

describe('watching a group', () => {
  let looks = 0
  let closed = 0
  let fails: Error | undefined
  let watch: GroupWatch

  beforeEach(() => {
    looks = 0
    closed = 0
    fails = undefined
    watch = new GroupWatch({
      newLooker: () => ({
        look: async isOwn => {
          looks++
          if (fails) throw fails
          assert.deepEqual([isOwn({ topic: 'a', partition: 1 }), isOwn({ topic: 'a', partition: 0 })], [true, false])
          return { workers: [], inCharge: undefined, others: [] }
        },
        close: async () => {
          closed++
        }
      }),
      ownKeys: () => new Set(['1/a']),
      seen: () => {},
      intervalMs: 5,
      wantedMs: 40
    })
  })
  afterEach(() => watch.close())

  it('begins with the first who wants it, goes on while somebody does, and ends with its connections', async () => {
    await pause(20)
    assert.equal(looks, 0)
    // However slow the machine is: somebody wants it all the time.
    const hasLookedOften = () => {
      watch.want()
      return looks >= 3
    }
    await until(hasLookedOften, { pauseMs: 5, describe: 'some looks' })
    const closedBefore = closed
    await until(() => closed > closedBefore, { describe: 'the end' })
    const before = looks
    await pause(20)
    assert.equal(looks, before)
    watch.want()
    await until(() => looks > before, { describe: 'a look for the next one' })
  })

  it('says why a look failed, until one does not', async () => {
    fails = new ClusterError('UNREACHABLE', 'east cannot be reached', true)
    watch.want()
    await until(() => watch.trouble === 'east cannot be reached', { describe: 'the trouble' })
    fails = undefined
    const isOver = () => {
      watch.want()
      return watch.trouble === null
    }
    await until(isOver, { describe: 'its end' })
  })

  it('does not look any more once it is closed', async () => {
    watch.want()
    await watch.close()
    const before = looks
    watch.want()
    await pause(20)
    assert.equal(looks, before)
    assert.ok(closed >= 1)
  })
})
