import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

interface Cell {
  readonly name: string
  readonly probe: string
  readonly variant: string | null
  readonly apart?: readonly (readonly string[])[]
}
interface Row {
  readonly name: string
  readonly probe: string
  readonly variant: string | null
}
interface Definition {
  readonly name: string
  readonly variants: readonly { readonly name: string }[]
}
type Read = (path: string) => string | null
type Prove = (row: Row) => string

const root = new URL('../../', import.meta.url).pathname
const lab = `${root}scripts/lab/`
const {
  cellsOf,
  loadDefinitions,
}: {
  cellsOf: (definitions: readonly Definition[], place: string, only: readonly string[]) => Cell[]
  loadDefinitions: () => Promise<Definition[]>
} = await import(`${lab}cells.mjs`)
const { groupsOf }: { groupsOf: (cells: readonly Cell[]) => Cell[][] } = await import(
  `${lab}groups.mjs`
)
const {
  loadProver,
}: { loadProver: (definitions: readonly Definition[], read?: Read) => Promise<Prove> } =
  await import(`${lab}proof.mjs`)
const {
  shareClock,
  shareOf,
  unprovenOf,
}: {
  shareClock: (boots: number, started: number, now: () => number) => () => number
  shareOf: (cells: readonly Cell[], guest: string, history: object) => Cell[]
  unprovenOf: (cells: readonly Cell[], guest: string, place: string, known: object) => Cell[]
} = await import(`${lab}share.mjs`)

const definitions = await loadDefinitions()
const cells = cellsOf(definitions, 'boot', [])
const groups = groupsOf(cells)
const groupOf = (name: string): Cell[] =>
  groups.find((group) => group.some((cell) => cell.name === name)) ?? []
const namesOf = (some: readonly Cell[]): string[] => some.map(({ name }) => name)
const readTree: Read = (path) =>
  existsSync(`${root}${path}`) ? readFileSync(`${root}${path}`, 'utf8') : null

describe('groups', () => {
  test('hold each cell once', () => {
    expect(namesOf(groups.flat()).toSorted()).toEqual(namesOf(cells).toSorted())
  })

  test('are the cells of a probe that can see the same traffic', () => {
    const group = namesOf(groupOf('tcplife-bcc'))
    expect(group).toContain('tcplife-tracepoint')
    expect(group).toContain('tcplife-both')
    expect(group).toContain('tcplife-beside')
    expect(group).toContain('tcplife-owners-bcc')
    expect(group).not.toContain('tcplife-reuse-bcc')
    expect(namesOf(groupOf('tcplife-reuse-bcc'))).toContain('tcplife-reuse-tracepoint')
    expect(namesOf(groupOf('tcpdrop-bcc'))).not.toContain('tcpdrop-tracepoint-stack')
    expect(namesOf(groupOf('tcpdrop-tracepoint-stack'))).toContain('tcpdrop-noreason-stack')
  })

  test('of what is counted in the kernel, on an interface or made on the spot are their own', () => {
    expect(namesOf(groupOf('retrans-bcc-summary'))).toEqual([
      'retrans-bpftrace-summary',
      'retrans-bcc-summary',
      'retrans-both-summary',
    ])
    for (const name of ['tccount-tcx', 'xdpcount-bcc-summary', 'trace-kprobe', 'funccount-kprobe'])
      expect(namesOf(groupOf(name))).toEqual([name])
  })

  test('know of each workload that expects other things of some variants, and of no other', () => {
    for (const { name, variants } of definitions) {
      const group = groups.find((each) => each.some((cell) => cell.name === `${name}-both`))
      const lists = group?.find((cell) => cell.name === `${name}-both`)?.apart ?? []
      const asks = /\bvariant\(\)/.test(readTree(`probes/${name}/workload.py`) ?? '')
      expect({ name, asks: lists.length > 0 }).toEqual({ name, asks })
      for (const each of lists.flat())
        expect(variants.map((variant) => variant.name)).toContain(each)
    }
  })
})

describe('what a row proves', () => {
  const prove = (changed: string, change: (text: string) => string): Promise<Prove> =>
    loadProver(definitions, (path) => {
      const text = readTree(path)
      return path === changed && text !== null ? change(text) : text
    })
  const row = (name: string, probe: string, variant: string): Row => ({ name, probe, variant })
  const plain = row('tcpdrop-tracepoint', 'tcpdrop', 'tracepoint')
  const stack = row('tcpdrop-tracepoint-stack', 'tcpdrop', 'tracepoint')
  const template = 'probes/tcpdrop/tracepoint.bt'

  test('changes with its template and its workload, whatever they include', async () => {
    const now = await loadProver(definitions)
    const others = await Promise.all([
      prove(template, (text) => `${text}\nBEGIN { @more = 1; }\n`),
      prove('probes/tcpdrop/workload.py', (text) => `${text}\npass\n`),
      prove('probes/owners.bt', (text) => `${text}\nBEGIN { @more = 1; }\n`),
    ])
    for (const other of others) expect(other(plain)).not.toBe(now(plain))
    expect((await prove('probes/tcpdrop/bcc.c', (text) => `${text}\nint more;\n`))(plain)).toBe(
      now(plain),
    )
  })

  test('is the same with another comment, or another part of a switch that is off', async () => {
    const now = await loadProver(definitions)
    const commented = await prove(template, (text) => `// Another word.\n${text}`)
    expect(commented(plain)).toBe(now(plain))
    const switched = await prove(
      template,
      (text) => `${text}\n{{when stack}}\nBEGIN { @more = 1; }\n{{end}}\n`,
    )
    expect(switched(plain)).toBe(now(plain))
    expect(switched(stack)).not.toBe(now(stack))
  })

  test('of what is made on the spot is its words and its traffic', async () => {
    const made = row('trace-kprobe', 'trace', 'kprobe')
    const now = await loadProver(definitions)
    const traffic = await prove('scripts/lab/inside/trace.py', (text) => `${text}\npass\n`)
    const other = await prove('scripts/lab/inside/counts.py', (text) => `${text}\npass\n`)
    expect(traffic(made)).not.toBe(now(made))
    expect(other(made)).toBe(now(made))
  })
})

describe('the share of a run', () => {
  const good = { expected: 1, delivered: 1, lost: 0, wrong: 0, faults: 0, account: 'exact' }
  const rows = cells.map((cell) => ({ ...cell, ...good, bcc: { ok: true }, proof: 'p' }))
  const claims = (some: object[]): object[] => [{ guest: 'sid', place: 'boot', rows: some }]
  const history = (some: object[], changed: string[] = []): object => ({
    commit: 'c',
    changed: new Set(changed),
    claims: claims(some),
    prove: () => 'p',
  })

  test('has first what nothing proves, and of its group that alone', () => {
    const left = rows.filter(({ name }) => name !== 'tcplife-bcc')
    expect(namesOf(shareOf(cells, 'sid', history(left)))[0]).toBe('tcplife-bcc')
    expect(namesOf(shareOf(cells, 'sid', history(left)))).not.toContain('tcplife-both')
    expect(namesOf(unprovenOf(cells, 'sid', 'boot', history(left)))).toEqual(['tcplife-bcc'])
  })

  test('has then groups of probes that changed', () => {
    const share = namesOf(shareOf(cells, 'sid', history(rows, ['syscount'])))
    expect(share).toContain('syscount-bcc')
  })

  test('is another one with each commit, and never all', () => {
    const one = namesOf(shareOf(cells, 'sid', history(rows)))
    const other = namesOf(shareOf(cells, 'sid', { ...history(rows), commit: 'd' }))
    expect(one).not.toEqual(other)
    expect(one.length).toBeGreaterThan(3)
    expect(one.length).toBeLessThan(cells.length / 4)
  })

  test('gives each boot its part of the time that is left, of which two go on at once', () => {
    const minute = 60_000
    let now = 0
    const seconds = shareClock(4, 0, () => now)
    const first = seconds()
    expect(seconds()).toBe(first)
    // Two are left, one for each of both.
    expect(seconds()).toBe(2 * first)
    now = 60 * minute
    expect(seconds()).toBe(0)
  })
})
