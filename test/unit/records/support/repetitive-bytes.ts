import fc from 'fast-check'

/** Bytes that compress well, badly or not at all, with runs of every length and repetitions near and far. */
export const repetitiveBytes: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 90 }),
      fc.record({ byte: fc.nat({ max: 255 }), times: fc.nat({ max: 600 }) }),
      fc.constantFrom('customer', 'payment', 'https://example.com/orders/')
    ),
    { minLength: 1, maxLength: 25 }
  )
  .map(parts =>
    Buffer.concat(
      parts.map(part => {
        if (typeof part === 'string') return Buffer.from(part)
        return 'byte' in part ? Buffer.alloc(part.times, part.byte) : Buffer.from(part)
      })
    )
  )
