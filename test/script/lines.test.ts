import { describe, expect, test } from 'vitest'
import { tokenize } from '../../src/script/lexer.ts'
import { linesOf } from '../../src/script/lines.ts'
import { padded, parseFormat } from '../../src/script/format.ts'
import { sectionsOf } from '../../src/script/sections.ts'
import { runsIn } from '../../src/script/statements.ts'
import { eventsOf, fieldsOf, madeOf } from './made.ts'
import { errorOf } from '../error-of.ts'

/** The lines of a block: text, values, and what is late. */
function shownBy(body: string): readonly (readonly [string, readonly string[], string | null])[] {
  const tokens = tokenize(`kprobe:f { ${body} }`)
  const [section] = sectionsOf(tokens)
  if (section === undefined) throw new Error('a block')
  return runsIn(tokens, section.open, section.close)
    .flatMap(linesOf)
    .map(({ text, values, late }) => [
      text,
      values.map(({ expression }) => expression.map((token) => token.text).join('')),
      late?.call ?? null,
    ])
}

describe('statements in a row', () => {
  test.each<[string, ReturnType<typeof shownBy>]>([
    ['printf("a %d\\n", pid);', [['a …\n', ['pid'], null]]],
    ['printf("%d ", pid); printf("%s\\n", comm)', [['… …\n', ['pid', 'comm'], null]]],
    [
      'printf("%d\\n", pid); printf("%s\\n", comm);',
      [
        ['…\n', ['pid'], null],
        ['…\n', ['comm'], null],
      ],
    ],
    ['printf("%d ", pid); // more\n /* of it */ printf("b\\n");', [['… b\n', ['pid'], null]]],
    // What stands between them may change what is shown.
    [
      'printf("%d ", pid); $x = 1; printf("b\\n");',
      [
        ['… ', ['pid'], null],
        ['b\n', [], null],
      ],
    ],
    [
      'if (pid) { printf("a\\n"); } printf("b\\n");',
      [
        ['a\n', [], null],
        ['b\n', [], null],
      ],
    ],
    ['time("%H:%M:%S "); printf("%d\\n", pid);', [['…\n', ['pid'], null]]],
    ['time("at %H:%M "); printf("%d\\n", pid);', [['at : …\n', ['pid'], null]]],
    ['printf("%d ", pid); join(args->argv);', [['… ', ['pid'], 'join']]],
    [
      'cat("/proc/loadavg"); printf("b\\n");',
      [
        ['', [], 'cat'],
        ['b\n', [], null],
      ],
    ],
    [
      'printf("Top:\\n"); print(@a); print(@b);',
      [
        ['Top:\n', [], null],
        ['', [], 'print'],
        ['', [], 'print'],
      ],
    ],
    ['printf("Top: "); print(@a);', [['Top: ', [], 'print']]],
    [
      'printf("%d: ", pid); print(@a);',
      [
        ['…: ', ['pid'], null],
        ['', [], 'print'],
      ],
    ],
    ['printf("%-5s|%3s|%.1s", "a", "b", "cd");', [['a    |  b|c', [], null]]],
    ['printf("%s", str(arg0, f(1, 2)));', [['…', ['str(arg0, f(1, 2))'], null]]],
    ['printf("100%%\\n");', [['100%\n', [], null]]],
    ['time();', [['', [], null]]],
  ])('%s', (body, lines) => {
    expect(shownBy(body)).toEqual(lines)
  })

  test.each([
    'printf("%d %d\\n", pid);',
    'printf("%d\\n", pid, tid);',
    'printf("%y\\n", pid);',
    'printf("\\q%d\\n", pid);',
    'printf(@a, pid);',
    'printf();',
    '$x = f(printf("a"));',
    'pid == 1 ? printf("a") : printf("b");',
    'printf("a") + 1;',
    '@printf["a"] = 1;',
  ])('%s is no line', (body) => {
    expect(shownBy(body)).toEqual([])
  })
})

describe('what cannot be typed', () => {
  test.each([
    ['pid == 1 ? printf("a") : printf("b");', ['line 2: printf', 'line 2: printf']],
    ['\nprintf("%d %d\\n", pid);', ['line 3: printf']],
    ['printf("%d\\n", ({ pid }));', ['line 2: printf']],
    ['printf("%d\\n", pid); // printf("a")\n @a["printf(1)"] = 1;', []],
  ])('%j is named', (body, untyped) => {
    const made = madeOf(`kprobe:f {\n${body} }`)

    expect(made.untyped).toEqual(untyped)
    if (untyped.length > 0) expect(made.probe.templates['bpftrace']).toContain('printf(')
  })

  test('is what comes after 30 types of events with values', () => {
    const each = (more: string) => `kprobe:f { printf("%d\\n", pid); ${more} }\n`
    const made = madeOf(
      `${each('').repeat(30)}${each('printf("a\\n"); @a = 1; print(@a); print(pid);')}`,
    )
    const events = Object.keys(made.probe.spec.events)

    expect(events).toHaveLength(32)
    expect(made.untyped).toEqual(['line 31: printf'])
    expect(made.probe.templates['bpftrace']).toContain('print(pid)')
    expect(made.probe.templates['bpftrace']).not.toContain('null')
  })
})

describe('what bpftrace prints by itself', () => {
  test.each([
    ['join(args->argv);', 'join', { cpu: 'u32', argv: 'output' }],
    ['printf("%d ", pid); join(args->argv, ",");', 'f', { cpu: 'u32', pid: 'u32', argv: 'output' }],
    ['cat("/proc/loadavg");', 'cat', { cpu: 'u32', output: 'output' }],
    ['print(pid);', 'print', { cpu: 'u32', output: 'output' }],
    ['print(@a[1]);', 'print', { cpu: 'u32', output: 'output' }],
    ['@a = 1; print(@a);', 'map', { cpu: 'u32', map: 'enum', entries: 'entries' }],
    ['@a = 1; print(@a, 5, 10);', 'map', { cpu: 'u32', map: 'enum', entries: 'entries' }],
    [
      'printf("%d %d ", cpu, output); cat("/x");',
      'f',
      { cpu: 'u32', cpu_2: 'u32', output_2: 'i32', output: 'output' },
    ],
  ])('%s', (body, event, fields) => {
    expect(fieldsOf(`kprobe:f { ${body} }`, event)).toEqual(fields)
  })

  test('stands between the mark and its event, in the words of the script', () => {
    const template = madeOf('kprobe:f { print(@a[1,\n"}"], /* x */ 5); }').probe.templates[
      'bpftrace'
    ]

    expect(template).toContain('\n  around print({map a}[1, "\\x7d"], 5)\n')
  })
})

test.each([
  ['kprobe:f { printf("a" }', 'a {'],
  ['kprobe:f { if (x) {', 'a {'],
  ['kprobe:f { } }', 'a } without its {'],
  ['kprobe:f { f(] }', 'a {'],
  ['struct x { int a; };', 'no probe in it'],
  ['', 'no probe in it'],
  ['// kprobe:f { }', 'no probe in it'],
])('%j is no script', (source, message) => {
  const error = errorOf(() => madeOf(source))

  expect(error.code).toBe('BAD_SCRIPT')
  expect(error.message).toContain(message)
})

describe('sections', () => {
  test('are probes, code, and what has no statements', () => {
    const source = `#define X {
config = { a=1 }
struct a { int x; };
macro m(x) { x }
fn f(int $x) : void { }
BEGIN { }
kprobe:a, kprobe:b /pid/ { if (1) { } }
uprobe:/bin/x:y { }`

    expect(
      sectionsOf(tokenize(source)).map(({ is, name, hasPredicate }) => [is, name, hasPredicate]),
    ).toEqual([
      ['other', 'config', false],
      ['other', 'struct', false],
      ['macro', 'm', false],
      ['code', 'f', false],
      ['attach', 'BEGIN', false],
      ['attach', 'kprobe:a', true],
      ['attach', 'uprobe:/bin/x:y', false],
    ])
  })

  test.each([
    ['kprobe:tcp_connect', 'tcp_connect'],
    ['tracepoint:sock:inet_sock_set_state', 'inet_sock_set_state'],
    ['interval:s:1', 'interval'],
    ['profile:hz:99', 'profile'],
    ['uprobe:/lib/x.so:Foo::bar', 'bar'],
    ['kprobe:vfs_*', 'vfs'],
    ['kprobe:*', 'kprobe'],
    ['kprobe:__x64_sys_read', 'x64_sys_read'],
    ['software:faults:1000', 'software'],
    ['BEGIN', 'begin'],
    // Names that an event, a definition or an object has already.
    ['kprobe:event', 'probed'],
    ['kprobe:cut', 'probed'],
    ['kprobe:escaped', 'probed'],
    ['kprobe:constructor', 'constructor_2'],
    ['kprobe:map', 'map_2'],
    ['kprobe:text', 'text_2'],
  ])('%s makes events of the name %s', (point, name) => {
    expect(Object.keys(eventsOf(`${point} { printf("%d\\n", pid); }`))).toEqual([name])
  })
})

test('a format has text and values, and what no bpftrace knows makes it none', () => {
  expect(parseFormat('a%%%-16s %.3s %02lld %rh')).toEqual([
    { is: 'text', text: 'a%' },
    { is: 'value', width: '-16', conversion: 's', precision: null },
    { is: 'text', text: ' ' },
    { is: 'value', width: '', conversion: 's', precision: 3 },
    { is: 'text', text: ' ' },
    { is: 'value', width: '02', conversion: 'lld', precision: null },
    { is: 'text', text: ' ' },
    { is: 'value', width: '', conversion: 'rh', precision: null },
  ])
  for (const format of ['%', '%n', '%*d', '%f', 'a % b', '%.d'])
    expect(parseFormat(format)).toBeNull()
  expect([padded('ab', '-4', null), padded('ab', '4', null), padded('abc', '', 2)]).toEqual([
    'ab  ',
    '  ab',
    'ab',
  ])
})
