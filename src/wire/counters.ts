/** The kernel's own counts, read from the lines that bpftrace prints of them. */
export interface Counters {
  /** Takes a line outside records; null when it is no count of ours. */
  line(text: string): 'count' | 'mark' | null
  /** Records emitted under this code, summed over its sites, as last seen; null before the first count. */
  emitted(code: string): number | null
  /** What did not fit into the program's own maps, as last seen; null before anything was counted. */
  readonly full: number | null
  /** Events that are in no group because nobody knows whose they are, as last seen; null before anything was counted. */
  readonly unowned: number | null
  /** How often the end mark was printed. It sorts last, so all counts of that dump came before it. */
  readonly marks: number
}

/** Maps are `@n_<token>_<code>_<site>` (counts), `@f_<token>` (what did not fit), `@w_<token>` (events of unknown owners) and `@z_<token>` (end mark). A line without the token never counts. */
export function createCounters(token: string): Counters {
  const countLine = new RegExp(`^@n_${token}_([0-9a-z])_([0-9]{1,4}): (0|[1-9][0-9]{0,15})$`)
  const otherLine = new RegExp(`^@([fw])_${token}: (0|[1-9][0-9]{0,15})$`)
  const markLine = new RegExp(`^@z_${token}: (?:0|[1-9][0-9]{0,15})$`)
  const sites = new Map<string, Map<string, number>>()
  let marks = 0
  const others = new Map<string, number>()

  return {
    line(text) {
      if (markLine.test(text)) {
        marks += 1
        return 'mark'
      }
      const [, which, figure] = otherLine.exec(text) ?? []
      if (which !== undefined) {
        others.set(which, Number(figure))
        return 'count'
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
    get full() {
      return others.get('f') ?? null
    },
    get unowned() {
      return others.get('w') ?? null
    },
    get marks() {
      return marks
    },
  }
}
