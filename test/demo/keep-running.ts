import type { KafkaCluster } from '../support/kafka-cluster.ts'
import type { Screen } from './screen.ts'
import { DEMO_TOPICS } from './topics.ts'

/** What is left running for people to look at. */
export interface Kept {
  readonly east: KafkaCluster
  readonly west: KafkaCluster
  readonly env: Readonly<Record<string, string>>
}

/** Says where to look, and how to write more. */
export function showWhatToOpen(screen: Screen, { east, west, env }: Kept): void {
  const url = `http://${env.FARLOG_HTTP_HOST}:${env.FARLOG_HTTP_PORT}`
  const topic = DEMO_TOPICS[0]!.name
  screen.head('Everything keeps running until Ctrl-C')
  screen.line(`page      ${url}/`)
  screen.line(`metrics   ${url}/metrics`)
  screen.line(`east      ${east.bootstrap}`)
  screen.line(`west      ${west.bootstrap}`)
  screen.line('Write a record to east, and read the last copies in west:')
  screen.line(`  echo '{"hello":"west"}' | kcat -P -b ${east.bootstrap} -t ${topic}`)
  screen.line(`  kcat -C -b ${west.bootstrap} -t east.${topic} -o -1 -e -q -f '%p %o  %k  %h  %s\\n'`)
  screen.line('How far is it? Without a worker too:')
  screen.line(`  ${variables(env)} bin/farlog status`)
}

function variables(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .filter(([name]) => !name.startsWith('FARLOG_HTTP_'))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
