import { X509Certificate } from 'node:crypto'
import type { Notes } from './finding.ts'

const WARNING_DAYS = 21
const DAY_MS = 86_400_000

/** How long a certificate is still good for. */
export function checkCertificateEnd(what: string, endsAtMs: number, notes: Notes): void {
  const days = Math.floor((endsAtMs - Date.now()) / DAY_MS)
  const at = new Date(endsAtMs).toISOString().slice(0, 10)
  if (days < 0) notes.problem(`${what} has ended (${at})`, 'renew it')
  else if (days < WARNING_DAYS) notes.warning(`${what} ends in ${days} days (${at})`, 'renew it')
  else notes.ok(`${what} is good until ${at}`)
}

/** When a certificate ends, in milliseconds of the epoch. @throws where the text is none */
export function endOfCertificate(pem: string): number {
  return Date.parse(new X509Certificate(pem).validTo)
}
