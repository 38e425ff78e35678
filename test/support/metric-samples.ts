/** What a Prometheus endpoint said at one moment. */
export class MetricSamples {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** Values of all samples with this name and at least these labels. */
  values(name: string, labels: Readonly<Record<string, string | number>> = {}): number[] {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    return this.text.split('\n').flatMap(line => {
      const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/.exec(line)
      if (match?.[1] !== name) return []
      const present = `,${match[2] ?? ''},`
      return wanted.every(label => present.includes(`,${label},`)) ? [Number(match[3])] : []
    })
  }

  /** Their sum; `undefined` where there is none, which is not the same as 0. */
  sum(name: string, labels: Readonly<Record<string, string | number>> = {}): number | undefined {
    const values = this.values(name, labels)
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0)
  }
}
