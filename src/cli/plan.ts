import { loadConfig } from '../config/load.ts'
import { makePlan } from '../plan/make-plan.ts'
import { planText } from '../plan/plan-text.ts'
import { defineCommand, EXIT } from './command.ts'

/** `farlog plan`: what a worker would do with this configuration, found out without doing any of it. */
export const command = defineCommand({
  name: 'plan',
  summary: 'Show what would be mirrored, and what stands in its way.',
  help: `Asks both clusters and changes nothing at either: no topic is made, no group joined. Of each topic:
  DESTINATION  what its copy is called
  TO CREATE    partitions that would be created there
  CONFIGS      entries of the copy's configuration that would change (FARLOG_SYNC_TOPIC_CONFIGS)
  ACLS         ACLs that would be created for the copy (FARLOG_SYNC_TOPIC_ACLS)
  STATE        there, to create, short of partitions, or blocked

It is blocked by: a cluster that can't be reached; both ends being the same cluster; topics that FARLOG_TOPICS
asks for (other than by .*) and that came from the destination; two topics whose copies would have one name; ACLs
that are missing, each named as it has to be granted; a replication factor that the destination has not the
brokers for; and whatever else the destination refuses when asked whether it would create, grow or configure a
topic. To find out about some ACLs it sends requests that can't succeed whoever sends them, such as a heartbeat
of a group member that does not exist; brokers that log what they refuse will log these.

Options:
  --json  One JSON object on stdout: {"isBlocked", "flows": [{"source", "destination", "groupId",
          "blockers": [{"code", "topic", "message"}], "notes", "topics": [{"topic", "destinationTopic",
          "state", "partitions", "destinationPartitions", "partitionsToCreate", "configs", "acls"}],
          "leftOut": [{"topic", "reason"}], "groups"}]}

Exits 0, or 1 if something blocks it: the rest is shown all the same.

Examples:
  farlog plan                                               what would a worker do here?
  farlog plan --json | jq -r '.flows[].blockers[].message'  what has to be granted or changed first?
  farlog plan && farlog run`,

  options: { json: { type: 'boolean' } },

  async run(values, env) {
    const plan = await makePlan(loadConfig(env))
    const { isTTY, columns } = process.stdout
    const text = planText(plan, isTTY ? columns : Number.POSITIVE_INFINITY)
    process.stdout.write(values.json ? `${JSON.stringify(plan, null, 2)}\n` : text)
    return plan.isBlocked ? EXIT.failed : EXIT.ok
  }
})
