import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { declarations } from '../../src/schema/declarations.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-types-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What tsc --strict says of these files. */
function problemsOf(files: readonly string[]): readonly string[] {
  const program = ts.createProgram([...files], {
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    allowImportingTsExtensions: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts'],
    skipDefaultLibCheck: true,
    types: [],
  })
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      (each) =>
        `${each.file?.fileName}: ${ts.flattenDiagnosticMessageText(each.messageText, '\n')}`,
    )
}

const names = Object.keys(builtin)
const specs = await Promise.all(
  Object.values(builtin).map(({ load }): Promise<ProbeSpec> => load()),
)

test('compile, and are for every probe the types that the library has', () => {
  const checks = specs.map((spec, index) => {
    writeFileSync(join(folder, `${spec.name}.d.ts`), declarations(spec))
    const own = declarations(spec).match(/export type (\w+Event) = /)?.[1] ?? ''
    return [
      `import type { ${own} } from './${spec.name}.js'`,
      `type Is${index} = Same<Flat<${own}>, Flat<EventOf<Builtin['${names[index]}']>>>`,
      `export const is${index}: Is${index} = true`,
    ].join('\n')
  })
  const file = join(folder, 'check.ts')
  const imports = [
    `import type { EventOf } from '${root}src/schema/define.ts'`,
    `import type { Builtin } from '${root}probes/index.ts'`,
    'type Flat<T> = T extends unknown ? { [K in keyof T]: T[K] } : never',
    'type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : "narrower") : "other"',
  ]
  writeFileSync(file, `${[...imports, ...checks].join('\n')}\n`)

  expect(readdirSync(folder)).toContain('tcpconnect.d.ts')
  expect(problemsOf([file])).toEqual([])
})

const field = { kind: 'u32', doc: 'x' } as const
const hostile: ProbeSpec = {
  name: 'a-b_c',
  summary: '*/ export const x = 1 /*',
  example: '',
  owner: 'task',
  events: {
    a_b: {
      doc: 'two\nlines */ and',
      fields: {
        pid: field,
        class: { kind: 'enum', doc: '', names: { 1: 'it"s', 2: '`${x}`', 3: 'it"s' } },
        returned: { kind: 'result', doc: '', nullable: true },
      },
      table: ['pid'],
    },
    a__b: { doc: '', fields: { pid: field }, table: ['pid'] },
    event_2: { doc: '', fields: { pid: field }, table: ['pid'] },
  },
  variants: [],
}

test('compile whatever the texts of a definition are, and keep event types apart', () => {
  const file = join(folder, 'hostile.d.ts')
  writeFileSync(file, declarations(hostile))
  const use = join(folder, 'use.ts')
  writeFileSync(
    use,
    `import type { ABCEvent, ABCAB2 } from './hostile.js'
export function f(event: ABCEvent): string {
  const two: ABCAB2 = { event: 'a__b', pid: 1 }
  if (event.event !== 'a_b') return String(event.pid + two.pid)
  if (event.class === 'it"s') return event.class
  return event.returned === null ? 'null' : event.returned.name
}
`,
  )

  expect(declarations(hostile)).toContain('export type ABCEvent = ABCAB | ABCAB2 | ABCEvent2')
  expect(problemsOf([use])).toEqual([])
})

const ofMaps: ProbeSpec = {
  name: 'maps',
  summary: '',
  example: '',
  owner: 'task',
  events: {
    map: {
      doc: '',
      fields: { entries: { kind: 'entries', nullable: true, doc: '' } },
      table: [],
    },
  },
  variants: [],
}

test("of a script's map are what the library has for its entries", () => {
  writeFileSync(join(folder, 'maps.d.ts'), declarations(ofMaps))
  const file = join(folder, 'use-maps.ts')
  writeFileSync(
    file,
    `import type { MapEntry } from '${root}src/schema/kinds.ts'
import type { MapsEvent } from './maps.js'
type Entry = NonNullable<MapsEvent['entries']>[number]
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : 'narrower') : 'other'
export const same: Same<Entry, MapEntry> = true
export const event: MapsEvent = {
  event: 'map',
  entries: [
    { key: null, value: 5 },
    { key: ['a', 1, ['f+1']], count: 1, average: -2, total: '18446744073709551615' },
    { key: ['a, b'], value: ['f+1'], unsplit: true },
    { key: [1], buckets: [{ ge: null, lt: 0, count: 1 }, { ge: 100, lt: null, count: 1 }] },
  ],
  escaped: ['entries'],
}
`,
  )

  expect(problemsOf([file])).toEqual([])
})

test('are no true types when something is wrong: the check of this file can fail', () => {
  const file = join(folder, 'wrong.ts')
  writeFileSync(
    file,
    `import type { TcpconnectEvent } from './tcpconnect.js'
export const port = (event: TcpconnectEvent): number => event.lport
export const other = (event: TcpconnectEvent): string => event.cgroup
`,
  )

  expect(problemsOf([file])).toHaveLength(1)
})
