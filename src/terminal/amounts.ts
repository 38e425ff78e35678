/** `1 record`, `12,000 records`. */
export function counted(count: number, noun: string): string {
  return `${inThousands(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `12,000`. */
export function inThousands(number: number): string {
  return number.toLocaleString('en-US')
}
