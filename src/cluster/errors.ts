import { protocolErrors, protocolErrorsCodesById, ResponseError } from '@platformatic/kafka'
import { redactSecrets } from '../config/secret-values.ts'

/**
 * What went wrong between farlog and a cluster. `code` is Kafka's own name of the error where a broker answered with
 * one (`NOT_LEADER_OR_FOLLOWER`, …), else one of ours:
 * - `UNREACHABLE`: no connection could be made, or it broke;
 * - `TIMED_OUT`: a broker did not answer in time; its connection was closed;
 * - `AUTHENTICATION`: broker and we do not accept each other's credentials or certificates;
 * - `UNSUPPORTED_VERSION`: the broker does not speak the request version that is needed;
 * - `BAD_RESPONSE`: an answer's bytes contradict themselves.
 */
export class ClusterError extends Error {
  readonly code: string
  /** Whether the same request may succeed later. */
  readonly retriable: boolean

  constructor(code: string, message: string, retriable: boolean, options?: ErrorOptions) {
    // It may repeat what a broker, an endpoint or a library said, and goes wherever people look.
    super(redactSecrets(message), options)
    this.name = 'ClusterError'
    this.code = code
    this.retriable = retriable
  }
}

/** Kafka's name for an error number; `NONE` for 0. */
export function errorName(errorCode: number): string {
  return (protocolErrorsCodesById as Record<number, string>)[errorCode] ?? `ERROR_${errorCode}`
}

/** What a broker may have said of an error besides its number. */
export interface BrokerErrorOptions extends ErrorOptions {
  /** Its own words, which name what is wrong where Kafka's general ones do not. */
  readonly said?: string | null | undefined
}

/** The error a broker answered with. */
export function brokerError(errorCode: number, context: string, options: BrokerErrorOptions = {}): ClusterError {
  const name = errorName(errorCode)
  const known = (protocolErrors as Record<string, { message: string; canRetry: boolean }>)[name]
  const words = options.said || known?.message
  return new ClusterError(name, `${context}: ${name}${words ? ` (${words})` : ''}`, known?.canRetry ?? false, options)
}

/** Throws unless the number is 0. */
export function assertNoError(errorCode: number, context: string): void {
  if (errorCode !== 0) throw brokerError(errorCode, context)
}

const REFUSED_CREDENTIALS = new Set(['SASL_AUTHENTICATION_FAILED', 'ILLEGAL_SASL_STATE', 'UNSUPPORTED_SASL_MECHANISM'])

/** Brings whatever the client library or the operating system threw into one form. */
export function toClusterError(error: unknown, context: string): ClusterError {
  if (error instanceof ClusterError) return error
  const answered = brokerAnswer(error)
  const reason = reasonOf(error)
  // Credentials may be renewed in their files, so Kafka's own names for it, which it does not call retriable, count as ours.
  if (answered !== undefined && REFUSED_CREDENTIALS.has(errorName(answered.apiCode))) {
    return new ClusterError('AUTHENTICATION', `${context}: ${reason}`, true, { cause: error })
  }
  if (answered !== undefined) {
    return brokerError(answered.apiCode, context, { cause: error, said: answered.serverErrorMessage })
  }
  if (/SASL authentication failed|suitable SASL mechanism/i.test(reason)) {
    return new ClusterError('AUTHENTICATION', `${context}: ${reason}`, true, { cause: error })
  }
  return new ClusterError('UNREACHABLE', `${context}: ${reason}`, true, { cause: error })
}

/**
 * The whole answer where only parts of it are errors: the library throws it away as soon as any topic or partition
 * has one, but keeps it attached to what it throws.
 */
export function answerDespiteErrors<Response>(error: unknown): Response | undefined {
  const cause = error instanceof ClusterError ? error.cause : error
  return cause instanceof ResponseError ? (cause.response as Response | undefined) : undefined
}

/**
 * As `answerDespiteErrors`, of the library's admin, which wraps what it throws. An answer to another request may be in there
 * as well (to one that authenticates, say), so this one is told by a field that it has.
 */
export function adminAnswerDespiteErrors<Response>(
  error: unknown,
  field: keyof Response & string
): Response | undefined {
  const answers = causesOf(error).flatMap(cause => (cause instanceof ResponseError ? [cause.response as object] : []))
  return answers.find(answer => field in answer) as Response | undefined
}

/** An answer of which parts may be errors; which ones is for the caller to see. @throws whatever is no answer at all */
export async function despiteErrors<Response>(asking: Promise<Response>): Promise<Response> {
  try {
    return await asking
  } catch (error) {
    const answer = answerDespiteErrors<Response>(error)
    if (answer === undefined) throw error
    return answer
  }
}

/** What librdkafka failed with. It tries again by itself, so all of it may pass. */
export function librdkafkaError(error: unknown, context: string): ClusterError {
  const { message, code } = error as { message?: string; code?: number }
  const text = `${context}: ${message ?? String(error)}`
  return new ClusterError(`LIBRDKAFKA_${code ?? 'UNKNOWN'}`, text, true, { cause: error })
}

/** The sentences that tell something: libraries wrap `ECONNREFUSED` three times over. */
export function reasonOf(error: unknown): string {
  const messages = causesOf(error)
    // OpenSSL ends its lines.
    .map(({ message }) => message.replaceAll(/\s+/g, ' ').trim())
    .filter(message => message !== '')
  return messages.length === 0 ? String(error) : [...new Set(messages)].join(': ')
}

/** What a broker answered with, in what the library threw; `undefined` where no broker answered. */
export function brokerAnswer(error: unknown): { apiCode: number; serverErrorMessage?: string | null } | undefined {
  const causes = causesOf(error) as { apiCode?: number; serverErrorMessage?: string | null }[]
  return causes.find((cause): cause is { apiCode: number } => cause.apiCode !== undefined)
}

const CAUSES_MAX = 5

/** An error, what it was caused by, and so on; of several causes the first. */
export function causesOf(error: unknown): Error[] {
  const causes: Error[] = []
  for (let current = error; current instanceof Error && causes.length < CAUSES_MAX; ) {
    causes.push(current)
    current = current.cause ?? (current instanceof AggregateError ? current.errors[0] : undefined)
  }
  return causes
}
