import { describe, expect, test } from 'vitest'
import { parsePattern, type Piece } from '../../src/printk/pattern.ts'

const literal = (text: string): Piece => ({ literal: [...Buffer.from(text)] })

describe('a pattern', () => {
  test('is literals and values, named or numbered by their place', () => {
    expect(parsePattern('PID %d -> %{host}s:%hu\\n')).toEqual([
      literal('PID '),
      { name: 'value_1', as: 'i32' },
      literal(' -> '),
      { name: 'host', as: 'text' },
      literal(':'),
      { name: 'value_3', as: 'u32' },
    ])
  })

  test.each([
    ['%d', 'i32'],
    ['%i', 'i32'],
    ['%ld', 'i64'],
    ['%lld', 'i64'],
    ['%u', 'u32'],
    ['%llu', 'u64'],
    ['%zu', 'u64'],
    ['%x', 'x32'],
    ['%#08llx', 'x64'],
    ['%-5d', 'i32'],
    ['%s', 'text'],
    ['%.10s', 'text'],
    ['%c', 'char'],
    ['%p', 'pointer'],
    ['%px', 'pointer'],
    ['%pK', 'pointer'],
    ['%pI4', 'ipv4'],
    ['%pI6c', 'ipv6'],
  ])('%s reads %s', (text, as) => {
    expect(parsePattern(text)).toEqual([{ name: 'value_1', as }])
  })

  test('has percent signs, line ends and tabs as C has them, and bytes of UTF-8', () => {
    expect(parsePattern('100%%\\té%d')).toEqual([
      literal('100%\té'),
      { name: 'value_1', as: 'i32' },
    ])
  })

  test.each([
    '',
    'no value',
    '%',
    '%y',
    'a %',
    '%{}d',
    '%{A}d',
    '%{a}d %{a}d',
    '%{__proto__}d',
    '%{constructor}d',
    '%{time}d',
    '%{message}s',
    '%{event}s',
    '%{a',
    '%s%s',
    '\\x41%d',
    '%d\\',
    '%d '.repeat(33),
    `%d${'x'.repeat(1_023)}`,
  ])('%j is refused, with what to type', (text) => {
    expect(() => parsePattern(text)).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', remedy: expect.any(String) }),
    )
  })
})
