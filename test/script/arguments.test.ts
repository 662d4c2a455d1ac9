import { describe, expect, test } from 'vitest'
import { literal } from '../../src/script/arguments.ts'
import { eventsOf, madeOf, programOf } from './made.ts'
import { errorOf } from '../error-of.ts'

const templateOf = (source: string, ...args: string[]): string =>
  madeOf(source, { args }).probe.templates['bpftrace'] ?? ''

describe('an argument of a script', () => {
  test.each([
    ['@a = $1;', ['5'], '{{map a}} = 5;'],
    ['@a = $1;', ['-5'], '{{map a}} = (-5);'],
    ['@a = $1;', ['0xFF'], '{{map a}} = 0xFF;'],
    ['@a = $1;', ['18446744073709551615'], '{{map a}} = 18446744073709551615;'],
    ['@a = $1;', ['-9223372036854775808'], '{{map a}} = (-9223372036854775808);'],
    ['@a = $1;', [], '{{map a}} = 0;'],
    ['@a = $12;', ['1'], '{{map a}} = 0;'],
    ['@a = $2;', ['x', '7'], '{{map a}} = 7;'],
    ['@a = $#;', ['x', 'y'], '{{map a}} = 2;'],
    ['@a = str($1);', ['ab'], '{{map a}} = "\\x61\\x62";'],
    ['@a = str( $1 );', ['ab'], '{{map a}} = "\\x61\\x62";'],
    ['@a = str($1);', [], '{{map a}} = "";'],
    ['@a = str($1, 16) == "b";', ['a'], '{{map a}} = "\\x61" == "b";'],
    ['@a = str($1, f(16)) == "b";', ['a'], '{{map a}} = "\\x61" == "b";'],
    ['@a = str("b");', [], '{{map a}} = "b";'],
    ['@a = "$1 $#";', ['5'], '{{map a}} = "$1 $#";'],
    ['@a = 1; // $1\n', ['x y'], '{{map a}} = 1;'],
  ])('%s with %j', (body, args, expected) => {
    expect(templateOf(`kprobe:f { ${body} }`, ...args)).toContain(expected)
  })

  test.each([
    ['kprobe:$1 { }', ['tcp_*'], 'kprobe:tcp_* {'],
    ['uprobe:$1:f { }', ['/bin/sh'], 'uprobe:/bin/sh:f {'],
    ['uprobe:/usr/$1/x:f { }', ['lib'], 'uprobe:/usr/lib/x:f {'],
    ['interval:s:$1 { }', ['5'], 'interval:s:5 {'],
    // A predicate is an expression.
    ['kprobe:f /pid == $1/ { }', ['5'], 'kprobe:f /pid == 5/ {'],
    ['kprobe:f /$1 == 0 || pid == $1/ { }', [], 'kprobe:f /0 == 0 || pid == 0/ {'],
    ['kprobe:f /comm == str($1)/ { }', ['a"/'], 'kprobe:f /comm == "\\x61\\x22\\x2f"/ {'],
    ['uprobe:/bin/$1:f /pid == $2/ { }', ['sh', '-1'], 'uprobe:/bin/sh:f /pid == (-1)/ {'],
  ])('%s with %j', (source, args, expected) => {
    expect(templateOf(source, ...args)).toContain(expected)
  })

  test.each([
    ['kprobe:f { @a = $1; }', 'x'],
    ['kprobe:f { @a = $1; }', ''],
    ['kprobe:f { @a = $1; }', '1; exit()'],
    ['kprobe:f { @a = $1; }', '1\n'],
    ['kprobe:f { @a = $1; }', '- 1'],
    ['kprobe:f { @a = $1; }', '1e9'],
    ['kprobe:f { @a = $1; }', '0x11112222333344445'],
    ['kprobe:f { @a = $1; }', '18446744073709551616'],
    ['kprobe:f { @a = $1; }', '99999999999999999999'],
    ['kprobe:f { @a = $1; }', '-9223372036854775809'],
    ['kprobe:f /pid == $1/ { }', 'tid'],
    ['kprobe:f /pid == $1/ { }', '1/'],
    ['kprobe:$1 { }', ''],
    ['kprobe:$1 { }', 'a b'],
    ['kprobe:$1 { }', 'a{}'],
    ['kprobe:$1 { }', 'a,kprobe:b'],
    ['kprobe:$1 { }', 'a\n'],
    ['kprobe:$1 { }', '"a"'],
    ['kprobe:$1 { }', '@a'],
    ['uprobe:$1:f { }', '/a/*b'],
    ['uprobe:$1:f { }', '/a//b'],
    ['uprobe:/x/$1:f { }', 'a}}'],
    ['kprobe:$1 { }', 'a'.repeat(4_097)],
  ])('in %s is not %j', (source, argument) => {
    expect(errorOf(() => madeOf(source, { args: [argument] })).code).toBe('BAD_VALUE')
  })

  test('that an attach point lacks is an error', () => {
    expect(errorOf(() => madeOf('kprobe:$1 { }')).found).toBe('no such argument')
  })

  test('as a value is a field, whatever it says', () => {
    const source = 'kprobe:f { printf("%s %s\\n", str($1), "b"); }'
    const made = eventsOf(source, { args: ['{{emit x}} %d'] })

    expect(Object.keys(made)).toEqual(['f'])
    expect(made['f']?.doc).toBe('line 1: … b')
    expect(made['f']?.fields['arg_1']).toMatchObject({ kind: 'text', bytes: 64 })
  })
})

test.each([
  '',
  'a',
  '"',
  '\\',
  '"; system("id"); "',
  '{{map a}}',
  '%s%n',
  '\n\0\r',
  '\u00e9\u20ac',
])('the literal of %j is its bytes', (text) => {
  const made = literal(text)

  expect(made).toMatch(/^"(?:\\x[0-9a-f]{2})*"$/)
  expect(Buffer.from(made.replace(/["\\x]/g, ''), 'hex').toString()).toBe(text)
  if (text !== '')
    expect(programOf('kprobe:f { @[str($1)] = 1; }', { args: [text] })).toContain(made)
})

test('an argument is no format: its printf stays as it is', () => {
  const { untyped, probe } = madeOf('BEGIN { printf(str($1)); }', { args: ['%d {{emit text}}'] })
  expect(untyped).toEqual(['line 1: printf'])
  expect(Object.keys(probe.spec.events)).toEqual(['text'])
})
