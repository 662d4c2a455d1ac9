/** The kernel's own counts, read from the lines that bpftrace prints of them. */
export interface Counters {
  /** Takes a line outside records; null when it is no count of ours. */
  line(text: string): 'count' | 'mark' | null
  /** Records emitted under this code, summed over its sites, as last seen; null before the first count. */
  emitted(code: string): number | null
  /** How often the end mark was printed. It sorts last, so all counts of that dump came before it. */
  readonly marks: number
}

/** Maps are `@n_<token>_<code>_<site>` (counts) and `@z_<token>` (end mark). A line without the token never counts. */
export function createCounters(token: string): Counters {
  const countLine = new RegExp(`^@n_${token}_([0-9a-z])_([0-9]{1,4}): (0|[1-9][0-9]{0,15})$`)
  const markLine = new RegExp(`^@z_${token}: (?:0|[1-9][0-9]{0,15})$`)
  const sites = new Map<string, Map<string, number>>()
  let marks = 0

  return {
    line(text) {
      if (markLine.test(text)) {
        marks += 1
        return 'mark'
      }
      const [, code, site, digits] = countLine.exec(text) ?? []
      if (code === undefined || site === undefined || !Number.isSafeInteger(Number(digits))) {
        return null
      }
      const ofCode = sites.get(code) ?? new Map<string, number>()
      sites.set(code, ofCode.set(site, Number(digits)))
      return 'count'
    },
    emitted(code) {
      const counts = sites.get(code)
      return counts ? [...counts.values()].reduce((sum, count) => sum + count, 0) : null
    },
    get marks() {
      return marks
    },
  }
}
