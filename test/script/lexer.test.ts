import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EbpfRunError } from '../../src/errors.ts'
import { stringValue, type TokenKind, tokenize } from '../../src/script/lexer.ts'
import { errorOf } from '../error-of.ts'

/** Kinds and texts, without the spaces. */
const wordsOf = (source: string) =>
  tokenize(source)
    .filter(({ kind }) => kind !== 'space')
    .map(({ kind, text }) => [kind, text])

const pieces = fc.constantFrom(
  ...[
    'kprobe:f',
    ' ',
    '\n',
    '{',
    '}',
    '"',
    '\\',
    '\\"',
    '//',
    '/*',
    '*/',
    '/',
    ':',
    '#include <x>',
  ],
  ...[
    '$1',
    '$#',
    '$x',
    '@',
    '@a',
    '@a[1]',
    '->',
    '<<=',
    '0x1f',
    '1e6',
    '10ms',
    '%',
    ';',
    '\u00e9',
    '\ud83d',
  ],
  ...['uprobe:/bin/a//b:f', 'printf("a")', '\r', '\t', '..'],
)

test('every character of a script is in its tokens, and each has its line', () => {
  let read = 0
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const source = parts.join('')
      let tokens
      try {
        tokens = tokenize(source)
      } catch (error) {
        expect(error).toBeInstanceOf(EbpfRunError)
        return
      }
      read += 1
      expect(tokens.map(({ text }) => text).join('')).toBe(source)
      expect(tokens.every(({ text }) => text !== '')).toBe(true)
      let line = 1
      for (const token of tokens) {
        expect(token.line).toBe(line)
        line += token.text.split('\n').length - 1
      }
    }),
    { numRuns: 3_000, seed: 1 },
  )
  expect(read).toBeGreaterThan(300)
})

describe('a piece of a script', () => {
  test.each<[string, [TokenKind, string][]]>([
    [
      '// a "b\nx',
      [
        ['comment', '// a "b'],
        ['word', 'x'],
      ],
    ],
    [
      '/* a\n"b // */x',
      [
        ['comment', '/* a\n"b // */'],
        ['word', 'x'],
      ],
    ],
    ['"a // b /* c"', [['string', '"a // b /* c"']]],
    [
      '"a\\"b\\\\" x',
      [
        ['string', '"a\\"b\\\\"'],
        ['word', 'x'],
      ],
    ],
    [
      '#include <a>\n#define X { \\\n "\nx',
      [
        ['preprocessor', '#include <a>'],
        ['preprocessor', '#define X { \\\n "'],
        ['word', 'x'],
      ],
    ],
    [
      'x $# #',
      [
        ['word', 'x'],
        ['positional', '$#'],
        ['sign', '#'],
      ],
    ],
    [
      '$a $1 @ @b',
      [
        ['variable', '$a'],
        ['positional', '$1'],
        ['map', '@'],
        ['map', '@b'],
      ],
    ],
    [
      'uprobe:/a//b:f',
      [
        ['word', 'uprobe'],
        ['path', ':/a//b'],
        ['sign', ':'],
        ['word', 'f'],
      ],
    ],
    [
      'uprobe:/a/*/b:f',
      [
        ['word', 'uprobe'],
        ['path', ':/a/*/b'],
        ['sign', ':'],
        ['word', 'f'],
      ],
    ],
    [
      'usdt:./a.out:p',
      [
        ['word', 'usdt'],
        ['path', ':./a.out'],
        ['sign', ':'],
        ['word', 'p'],
      ],
    ],
    // Inside a block a colon is that of a choice.
    [
      '{a?b:/*c*/d}',
      [
        ...[
          ['sign', '{'],
          ['word', 'a'],
          ['sign', '?'],
          ['word', 'b'],
          ['sign', ':'],
        ],
        ...[
          ['comment', '/*c*/'],
          ['word', 'd'],
          ['sign', '}'],
        ],
      ] as [TokenKind, string][],
    ],
    [
      '0xfFULL 1_000 10ms',
      [
        ['number', '0xfF'],
        ['word', 'ULL'],
        ['number', '1_000'],
        ['number', '10ms'],
      ],
    ],
    [
      'a<<=b->c',
      [
        ['word', 'a'],
        ['sign', '<<='],
        ['word', 'b'],
        ['sign', '->'],
        ['word', 'c'],
      ],
    ],
  ])('%j', (source, expected) => {
    expect(wordsOf(source)).toEqual(expected)
  })
})

test.each([
  ['x\n"a', 2, 'a string'],
  ['"a\\"', 1, 'a string'],
  ['\n\n/* a', 3, 'a comment'],
  ['/*/', 1, 'a comment'],
])('%j does not end', (source, line, what) => {
  expect(errorOf(() => tokenize(source))).toMatchObject({
    code: 'BAD_SCRIPT',
    message: `line ${line}: ${what} that does not end`,
  })
})

test.each([
  ['"a\\n\\t\\r\\"\\\\"', 'a\n\t\r"\\'],
  ['"\\x41\\x4\\101\\0"', 'A\x04A\0'],
  ['"\\q"', null],
  ['"\\\n"', null],
])('the string %j says %j', (text, value) => {
  expect(stringValue({ kind: 'string', text, line: 1 })).toBe(value)
})

test('a line of a megabyte takes no more than its length', () => {
  expect(tokenize('a '.repeat(500_000))).toHaveLength(1_000_000)
})

test('the version of a symbol is no map', () => {
  expect(wordsOf('uprobe:/lib/x.so:f@GLIBC_2.2.5 { @a = 1; }').slice(0, 4)).toEqual([
    ['word', 'uprobe'],
    ['path', ':/lib/x.so'],
    ['sign', ':'],
    ['word', 'f'],
  ])
  expect(wordsOf('uprobe:/lib/x.so:f@GLIBC_2.2.5 { @a = 1; }')).toContainEqual([
    'word',
    '@GLIBC_2.2.5',
  ])
})
