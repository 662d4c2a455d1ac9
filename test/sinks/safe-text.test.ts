import { describe, expect, test } from 'vitest'
import { displayWidth, isUnsafe, safeJson, safeText, truncate } from '../../src/sinks/safe-text.ts'

describe('safeText', () => {
  const hostile: readonly (readonly [string, string, string])[] = [
    ['a line feed', 'a\nb', String.raw`a\nb`],
    ['a carriage return', 'a\rb', String.raw`a\rb`],
    ['a tab', 'a\tb', String.raw`a\tb`],
    ['an escape sequence', '\x1b[2Jx', String.raw`\x1b[2Jx`],
    ['DEL', '\x7f', String.raw`\x7f`],
    ['C1 as a character, not as the byte', '\x9b31m', String.raw`\u009b31m`],
    ['a line separator', 'a\u2028b', String.raw`a\u2028b`],
    ['a bidi override', 'exe\u202egpj', String.raw`exe\u202egpj`],
    ['a bidi isolate', '\u2066a\u2069', String.raw`\u2066a\u2069`],
    ['a zero-width space', 'a\u200bb', String.raw`a\u200bb`],
    ['a byte order mark', '\ufeffa', String.raw`\ufeffa`],
    ['a Hangul filler', '\u3164', String.raw`\u3164`],
    ['a tag character', '\u{e0041}', String.raw`\U000e0041`],
    ['a lone surrogate', '\ud800', String.raw`\ud800`],
    ['a combining mark without a letter', '\u0301a', String.raw`\u0301a`],
    ['the third combining mark in a row', 'a\u0301\u0302\u0303', 'a\u0301\u0302\\u0303'],
  ]
  test.each(hostile)('writes out %s', (_, text, shown) => {
    expect(safeText(text)).toBe(shown)
  })

  test.each(['plain', 'übergröße', '古池', 'naïve cafe\u0301', String.raw`C:\n`])(
    'leaves %s as it is',
    (text) => {
      expect(safeText(text)).toBe(text)
      expect(isUnsafe(text)).toBe(false)
    },
  )
})

test('safeJson writes JSON escapes, so that the value stays the same', () => {
  const value = { comm: 'a\u202eb\x9b\u{e0041}', argv: ['x\ny'] }

  const json = safeJson(JSON.stringify(value))

  expect(json).toMatchInlineSnapshot(`"{"comm":"a\\u202eb\\u009b\\udb40\\udc41","argv":["x\\ny"]}"`)
  expect(JSON.parse(json)).toEqual(value)
})

test('safeJson keeps the line feeds between lines', () => {
  expect(safeJson('{}\n{}\n')).toBe('{}\n{}\n')
})

test('displayWidth counts a wide character as two columns', () => {
  expect(displayWidth('古池ab')).toBe(6)
})

test('truncate cuts by columns and never through a wide character', () => {
  expect(truncate('古池や蛙', 6)).toBe('古池…')
  expect(displayWidth(truncate('古池や蛙', 6))).toBe(5)
})

test('truncate leaves a text that just fits', () => {
  expect(truncate('abcdef', 6)).toBe('abcdef')
})

test('truncate to nothing is empty', () => {
  expect(truncate('abc', 0)).toBe('')
})
