import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Grant } from '../../support/kafka-admin.ts'

const DOCUMENT = new URL('../../../docs/security.md', import.meta.url)

/** The ACLs that docs/security.md has for one side, as `kafka-acls` commands, for another user. */
export function documentedAcls(side: 'source' | 'destination', user: string): Grant[] {
  const [, block] =
    new RegExp(`<!-- acls:${side} -->\\n\`\`\`sh\\n(.*?)\`\`\``, 's').exec(readFileSync(DOCUMENT, 'utf8')) ?? []
  if (block === undefined) throw new Error(`docs/security.md has no commands for the ${side}`)
  return block
    .trim()
    .split('\n')
    .map(line => grantOf(line, user))
}

function grantOf(line: string, user: string): Grant {
  const [command, ...args] = line.split(' ')
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      ...{ 'bootstrap-server': text, add: { type: 'boolean' }, 'allow-principal': text },
      operation: { type: 'string', multiple: true },
      ...{ topic: text, group: text, 'transactional-id': text, cluster: { type: 'boolean' } },
      'resource-pattern-type': text
    }
  })
  if (command !== 'kafka-acls' || values['allow-principal'] !== 'User:farlog') throw new Error(`What is ${line}?`)
  const isPrefix = values['resource-pattern-type'] === 'prefixed'
  const [resource, name] = resourceOf(values)
  const operations = values.operation as unknown as Grant['operations']
  return { user, resource, name: isPrefix ? `${name}*` : name, operations }
}

function resourceOf(values: {
  topic?: string | undefined
  group?: string | undefined
  'transactional-id'?: string | undefined
  cluster?: boolean | undefined
}): [Grant['resource'], string] {
  if (values.topic !== undefined) return ['TOPIC', values.topic]
  if (values.group !== undefined) return ['GROUP', values.group]
  if (values['transactional-id'] !== undefined) return ['TRANSACTIONAL_ID', values['transactional-id']]
  if (values.cluster) return ['CLUSTER', 'kafka-cluster']
  throw new Error('An ACL of nothing')
}
