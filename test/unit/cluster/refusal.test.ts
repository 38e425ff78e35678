import assert from 'node:assert/strict'
import { connectionError, librdkafkaTrouble, whatToCheck } from '../../../src/cluster/refusal.ts'
import type { ClusterConfig } from '../../../src/config/types.ts'
import { plainCluster } from '../../support/plain-cluster.ts'

const NONE = { ca: undefined, cert: undefined, key: undefined, keyPassphrase: undefined }
const PLAIN = plainCluster('east', 'east-1:9092')
const TLS: ClusterConfig = { ...PLAIN, securityProtocol: 'SSL', tls: NONE }
const MUTUAL_TLS: ClusterConfig = { ...TLS, tls: { ...NONE, cert: () => 'CERT', key: () => 'KEY' } }

const CERTIFICATE =
  /^east: the broker refused the client certificate, .*: check FARLOG_EAST_SSL_CERT_FILE and FARLOG_EAST_SSL_KEY_FILE \[/
const HANDSHAKE =
  /^east: the broker ended the TLS handshake \(TLS\): check the protocol versions and ciphers that it takes, and/

describe('a TLS alert', () => {
  const ofData = (code: string, cluster: ClusterConfig) =>
    connectionError(Object.assign(new Error('alert'), { code }), 'east broker east-1:9092', cluster).message
  const ofGroup = (alert: string, cluster: ClusterConfig) => {
    const logged = `ssl://east-1:9092/1: SSL handshake failed: error:0A000412:SSL routines::${alert}: SSL alert number 42`
    return librdkafkaTrouble('broker transport failure', logged, 'group g', cluster).message
  }

  it('is about the client certificate where it says so, given or not', () => {
    for (const cluster of [TLS, MUTUAL_TLS]) {
      for (const code of [
        'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
        'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
        'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
        'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'
      ]) {
        assert.match(ofData(code, cluster), CERTIFICATE, code)
      }
      for (const alert of [
        'ssl/tls alert bad certificate',
        'tlsv13 alert certificate required',
        'tlsv1 alert unknown ca'
      ]) {
        assert.match(ofGroup(alert, cluster), CERTIFICATE, alert)
      }
    }
  })

  it('may be about it where it says nothing and there is one', () => {
    assert.match(ofData('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', MUTUAL_TLS), CERTIFICATE)
    assert.match(ofGroup('sslv3 alert handshake failure', MUTUAL_TLS), CERTIFICATE)
    assert.match(ofData('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', TLS), HANDSHAKE)
    assert.match(ofGroup('sslv3 alert handshake failure', TLS), HANDSHAKE)
  })

  it('is not about it otherwise', () => {
    for (const cluster of [TLS, MUTUAL_TLS]) {
      assert.match(ofData('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', cluster), HANDSHAKE)
      assert.match(ofGroup('tlsv1 alert protocol version', cluster), HANDSHAKE)
    }
    assert.match(
      whatToCheck(ofData('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', TLS))!,
      /^check the protocol versions and ciphers that it takes, and whether it wants a client certificate$/
    )
  })
})
