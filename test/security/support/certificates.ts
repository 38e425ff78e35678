import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from '../../support/run-to-end.ts'

/** A private key with its certificate, each in a PEM file. */
export interface KeyPair {
  readonly keyFile: string
  readonly certFile: string
}

export interface Issued {
  /** Common name, which mutual TLS makes a principal of. */
  readonly name: string
  /** What a client may have called the server, as `DNS:localhost` or `IP:127.0.0.1`. */
  readonly hosts?: readonly string[]
  /** Had its last day yesterday. */
  readonly isExpired?: boolean
  /** Encrypts the key. */
  readonly passphrase?: string
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

/** An authority made by `openssl` for one test, and the certificates it signs. */
export class CertificateAuthority {
  readonly certFile: string
  readonly #dir: string
  readonly #name: string

  static async create(dir: string, name: string): Promise<CertificateAuthority> {
    const authority = new CertificateAuthority(dir, name)
    const subject = ['-subj', `/CN=${name}`, '-days', '2']
    const files = ['-keyout', authority.#path('key'), '-out', authority.certFile]
    await openssl('req', '-x509', '-nodes', ...NEW_KEY, ...subject, ...files)
    return authority
  }

  private constructor(dir: string, name: string) {
    this.#dir = dir
    this.#name = name
    this.certFile = this.#path('pem')
  }

  /** Where the files of something that has been issued are. */
  issued({ name, isExpired = false }: Issued): KeyPair {
    const path = join(this.#dir, `${this.#name}-${name}${isExpired ? '-expired' : ''}`)
    return { keyFile: `${path}.key`, certFile: `${path}.pem` }
  }

  async issue(issued: Issued): Promise<KeyPair> {
    const { name, hosts = [], isExpired = false, passphrase } = issued
    const { keyFile, certFile } = this.issued(issued)
    const file = (ending: string) => certFile.replace(/pem$/, ending)
    const encryption = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`]
    await openssl(
      'req',
      '-new',
      ...NEW_KEY,
      ...encryption,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      keyFile,
      '-out',
      file('csr')
    )
    const signer = ['-CA', this.certFile, '-CAkey', this.#path('key'), '-set_serial', serial()]
    writeFileSync(file('ext'), hosts.length === 0 ? '' : `subjectAltName=${hosts.join(',')}\n`)
    const days = isExpired ? '-1' : '2'
    await openssl(
      'x509',
      '-req',
      '-in',
      file('csr'),
      ...signer,
      '-days',
      days,
      '-extfile',
      file('ext'),
      '-out',
      certFile
    )
    return { keyFile, certFile }
  }

  #path(ending: string): string {
    return join(this.#dir, `${this.#name}.${ending}`)
  }
}

/** A file with key and certificate, as Kafka takes them for a key store of type PEM. */
export function keyStoreFile({ keyFile, certFile }: KeyPair): string {
  const path = `${certFile}.store`
  writeFileSync(path, readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8'))
  return path
}

async function openssl(...args: readonly string[]): Promise<void> {
  await runToEnd(['openssl', ...args])
}

/** By chance: the file that openssl counts in is torn where two are issued at a time. */
function serial(): string {
  return `0x00${randomBytes(15).toString('hex')}`
}
