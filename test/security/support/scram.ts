import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka'

const SCRAM_SHA_512 = 2
const ITERATIONS = 4096

/** Gives a user another password for SCRAM-SHA-512, by a listener that lets everybody do everything. */
export async function changeScramPassword(bootstrap: string, name: string, password: string): Promise<void> {
  const [host, port] = bootstrap.split(':')
  const salt = randomBytes(16)
  const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, 64, 'sha512')
  const connection = new Connection('test')
  await connection.connect(host!, Number(port))
  try {
    const upsertion = { name, mechanism: SCRAM_SHA_512, iterations: ITERATIONS, salt, saltedPassword }
    await alterUserScramCredentialsV0.api.async(connection, [], [upsertion])
  } finally {
    await connection.close()
  }
}
