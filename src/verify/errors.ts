/** Verification cannot be done, or not to its end; says nothing about whether the copy is right. */
export class VerifyError extends Error {
  readonly code: string
  readonly remedy: string

  constructor(code: string, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'VerifyError'
    this.code = code
    this.remedy = remedy
  }
}
