import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { wrongReferences } from '../../src/catalog/references.ts'
import { EbpfRunError } from '../../src/errors.ts'
import { dialectOf, dialectVersions } from '../../src/plan/dialect.ts'
import { renderProgram } from '../../src/plan/render.ts'
import { parseTemplate } from '../../src/plan/template.ts'
import { definitionSchema } from '../../src/schema/definition.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { literal } from '../../src/script/arguments.ts'
import type { MadeScript } from '../../src/script/define.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { randomNumbers, token } from '../wire/harness.ts'
import { madeOf, programOf } from './made.ts'

/** As checkDefinition has it, compiled once. */
const isDefinition = new Ajv2020({ strict: true, allowUnionTypes: true }).compile<ProbeSpec>(
  definitionSchema,
)

const nasty = [
  ...[
    '{{emit x}}',
    '}}',
    '{{',
    '"{{map y}}"',
    '{map y}',
    '{{end}}',
    '{{exits}}',
    'printf("%s',
    '"',
    '\\',
  ],
  ...[
    '*/',
    '/*',
    '//',
    '\n',
    '\r',
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    ';',
    ',',
    '$1',
    '$#',
    '@',
    '#',
    '%',
  ],
  ...['\u00e9', '\ud83d', '\ufeff', '\u2028', '__proto__', 'constructor', '#define X {{{\n'],
]
const statements = [
  ...['printf("%d %s\\n", pid, comm);', 'printf("a\\n");', 'printf("%d ", $x);', 'time("%H ");'],
  ...['print(@a);', 'print($x);', 'join(args->argv);', 'cat("/x");', '@a[comm] = count();'],
  ...['if (pid) { printf("%s\\n", str(arg0)); }', 'exit();', '@ = 1;', 'printf("%s\\n", "a\nb");'],
  ...[
    'printf("%s %p\\n", @a["{{map y}}\nalways"], $around);',
    'printf("%r %c\\n", buf($x), $cut);',
  ],
  ...['system("id");', '@a["}}{{emit f}}"] = str($1);', 'printf("%d\\n", $__proto__);', '/* }} */'],
]
const heads = [
  ...[
    'kprobe:f',
    'BEGIN',
    'END',
    'kprobe:f /@a[tid]/',
    'interval:s:1',
    'uprobe:/a//b:cut',
    'kprobe:$1',
  ],
  ...[
    'kprobe:event /pid == $1/',
    'END /pid/',
    'tracepoint:a:b',
    'macro m()',
    'struct x',
    'kprobe:__proto__',
  ],
]
const words = [
  ...[
    '',
    'a',
    '-1',
    '0x10',
    'tcp_*',
    '1; exit()',
    '"',
    '\\',
    '{{emit f}}',
    '}}',
    '%s%n',
    '\n',
    'a//',
    '*/',
  ],
  ...['"; system("id"); "', '\u00e9', '$1', '@a', '__proto__', '/x/y', '\ud83d', 'a{map b}'],
]
const names = ['a', 'pid', 'around', 'output', 'text', 'entries', 'map', 'comm', 'value_1', 'owner']
const events = [
  'f',
  'map',
  'text',
  'begin',
  'probed',
  'interval',
  '__proto__',
  'constructor',
  'join',
]

const next = randomNumbers(20_260)
const below = (count: number): number => next() % count
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T
const some = <T>(most: number, make: () => T): T[] => Array.from({ length: below(most + 1) }, make)

/** Sound, but for a piece or two somewhere in it; or of pieces alone. */
function script(): string {
  if (below(10) === 0) return some(20, () => oneOf([...nasty, ...statements, ...heads])).join('')
  const source = [
    ...(below(4) === 0 ? [`#define X ${oneOf(nasty)}\n`] : []),
    ...Array.from({ length: 1 + below(2) }, () => {
      const body = some(4, () => oneOf(statements)).join(oneOf([' ', '', '\n']))
      return `${oneOf(heads)} {${body}}`
    }),
  ].join(oneOf(['', ' ', '\n']))
  return some(2, () => oneOf(nasty)).reduce((text, piece) => {
    const at = below(text.length + 1)
    return below(2) === 0 ? text : text.slice(0, at) + piece + text.slice(at)
  }, source)
}

/** Null where it is refused. */
function madeOrNot(source: string): MadeScript | null {
  try {
    return madeOf(source, {
      args: some(3, () => oneOf(words)),
      fields: new Map(below(3) === 0 ? [[oneOf(events), some(3, () => oneOf(names))]] : []),
      unsafe: below(3) > 0,
    })
  } catch (error) {
    if (error instanceof EbpfRunError) return null
    throw error
  }
}

/** As a plan renders it, once. */
function rendered({ spec: { events }, templates }: MadeScript['probe'], version: string): string {
  const dialect = dialectOf(version)
  if (dialect === null) throw new Error('a dialect')
  const input = {
    where: 'script.bt',
    nodes: parseTemplate(templates['bpftrace'] ?? '', 'script.bt'),
    dialect,
    events,
    layouts: layoutsOfProbe(events),
    members: {},
    libraries: {},
    options: { special: dialect.hasEnd },
    params: {},
    filters: [],
    summary: null,
    canGate: true,
    isScript: true,
  }
  return renderProgram(input, { token, childPid: 1, ownPid: null, commandPid: null }).text
}

test('10,000 hostile scripts are refused, or make a definition and a program', () => {
  let sound = 0
  for (let round = 0; round < 10_000; round += 1) {
    const source = script()
    const made = madeOrNot(source)
    if (made === null) continue
    sound += 1
    const { spec } = made.probe
    const problems = isDefinition(spec) ? wrongReferences(spec) : isDefinition.errors
    if ((problems ?? []).length > 0) expect(problems, JSON.stringify(source)).toEqual([])
    const program = rendered(made.probe, oneOf(dialectVersions))
    if (program.includes('{{')) expect(source).toBe('without a directive')
  }
  // Enough of them are sound, or nothing was looked at.
  expect(sound).toBeGreaterThan(2_000)
})

test('10,000 hostile names of a script change no program, and a definition by printable text alone', () => {
  const source = 'kprobe:f { printf("%d\\n", pid); }'
  const { templates } = madeOf(source).probe
  for (let round = 0; round < 10_000; round += 1) {
    const letters = some(8, () =>
      oneOf([...nasty, ...words, '/', '..', '\u0000', '\u001b[2J', '\n', 'é']),
    )
    const { probe } = madeOf(source, { name: `${letters.join('')}.bt` })
    const problems = isDefinition(probe.spec) ? wrongReferences(probe.spec) : isDefinition.errors
    if ((problems ?? []).length > 0) expect(problems, JSON.stringify(letters)).toEqual([])
    expect(probe.templates).toEqual(templates)
    expect(`${probe.spec.summary}${probe.spec.example}`).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  }
})

test('a hostile argument changes its literal and nothing else', () => {
  const source = `kprobe:f /comm == str($1)/ { printf("%s|%d\\n", str($1), $#); @a[str($1, 8)] = count(); print(str($1)); join(str($1)); }
END { printf("%s\\n", str($1)); cat(str($1)); }`
  const harmless = new Map(
    dialectVersions.map((version) => [version, programOf(source, { args: ['harmless'] }, version)]),
  )
  for (let round = 0; round < 200; round += 1) {
    const argument = `${oneOf(words)}${some(4, () => oneOf([...nasty, ...words])).join('')}x`
    const version = oneOf(dialectVersions)
    const program = programOf(source, { args: [argument] }, version)
    const same = program.replaceAll(literal(argument), literal('harmless'))

    expect(same).toBe(harmless.get(version))
  }
})
