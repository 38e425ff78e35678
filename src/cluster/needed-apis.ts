import {
  addPartitionsToTxnV3,
  createPartitionsV3,
  createTopicsV7,
  describeClusterV0,
  describeGroupsV5,
  endTxnV3,
  findCoordinatorV4,
  heartbeatV4,
  initProducerIdV4,
  listGroupsV4,
  listOffsetsV7,
  metadataV12,
  offsetCommitV8,
  offsetFetchV8,
  offsetForLeaderEpochV4
} from '@platformatic/kafka'
import type { ApiVersion } from './connection.ts'
import { FETCH } from './fetch.ts'
import { PRODUCE } from './produce.ts'

/** Requests that every broker must speak in this version. The two clients agree on versions by themselves for theirs. */
export const NEEDED_APIS: readonly ApiVersion[] = [
  FETCH,
  PRODUCE,
  ...[addPartitionsToTxnV3, createPartitionsV3, createTopicsV7, describeClusterV0, describeGroupsV5, endTxnV3],
  ...[findCoordinatorV4, heartbeatV4, initProducerIdV4, listGroupsV4, listOffsetsV7, metadataV12],
  ...[offsetCommitV8, offsetFetchV8, offsetForLeaderEpochV4]
].map(request => ('api' in request ? request.api : request))
