import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutText, readText, textBytes } from '../../src/wire/texts.ts'

/** UTF-8 bytes as latin1 characters. */
const wire = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
const plain = { escaped: false, cut: false }

describe('readText', () => {
  test('shows valid UTF-8 as itself, backslashes included', () => {
    for (const text of [
      '',
      'sh',
      'a\\x41\nb',
      'größe',
      '日本',
      '𝄞 \u{10ffff}',
      '\u0000\u007f\u2028',
    ]) {
      expect(readText(wire(text), {})).toEqual({ value: text, ...plain })
    }
  })

  test('shows bytes outside UTF-8 as hex, and then its own backslashes too', () => {
    expect(readText('a\xffb\\', {})).toEqual({ value: 'a\\xffb\\x5c', escaped: true, cut: false })
    expect(readText(`${wire('ü')}\x80`, {}).value).toBe('ü\\x80')
  })

  test.each([
    ['an overlong slash', '\xc0\xaf', '\\xc0\\xaf'],
    ['an overlong of three bytes', '\xe0\x80\xaf', '\\xe0\\x80\\xaf'],
    ['an overlong of four bytes', '\xf0\x80\x80\xaf', '\\xf0\\x80\\x80\\xaf'],
    ['a surrogate', '\xed\xa0\x80', '\\xed\\xa0\\x80'],
    ['a code point above U+10FFFF', '\xf4\x90\x80\x80', '\\xf4\\x90\\x80\\x80'],
    ['a lead that no sequence has', '\xf5\x80\x80\x80', '\\xf5\\x80\\x80\\x80'],
    ['an unfinished sequence', '\xe2\x82', '\\xe2\\x82'],
    ['an unfinished sequence before a character', '\xe2\x82A', '\\xe2\\x82A'],
  ])('shows %s byte by byte', (_name, bytes, shown) => {
    expect(readText(bytes, {})).toEqual({ value: shown, escaped: true, cut: false })
  })

  test('shows the neighbours of what is refused', () => {
    for (const text of ['\u0800', '\ud7ff', '\ue000', '\u{10000}', '\u{10ffff}', '\u0080']) {
      expect(readText(wire(text), {})).toEqual({ value: text, ...plain })
    }
  })

  test('shows an empty text as null only where that means unread', () => {
    expect(readText('', { emptyIsNull: true })).toEqual({ value: null, ...plain })
    expect(readText('', {})).toEqual({ value: '', ...plain })
  })

  test('cuts at the limit and says so', () => {
    expect(readText('abcd', { bytes: 4 })).toEqual({ value: 'abcd', ...plain })
    expect(readText('abcde', { bytes: 4 })).toEqual({ value: 'abcd', escaped: false, cut: true })
  })

  test('drops a character that the limit splits, so that a valid text stays valid', () => {
    for (const text of ['abcü', 'ab日本', 'abc日', 'a𝄞', 'ab𝄞', 'abc𝄞', 'abcdé']) {
      const shown = readText(wire(text).slice(0, 5), { bytes: 4 })
      expect([shown.escaped, shown.cut], text).toEqual([false, true])
    }
    expect(readText(wire('abcü'), { bytes: 4 }).value).toBe('abc')
    expect(readText(wire('ab日本').slice(0, 5), { bytes: 4 }).value).toBe('ab')
    expect(readText(wire('a日本').slice(0, 5), { bytes: 4 }).value).toBe('a日')
  })

  test('does not take broken bytes at the limit for a split character', () => {
    expect(cutText('ab\xe2\x82A', 4)).toBe('ab\xe2\x82')
    expect(cutText('abc\xffd', 4)).toBe('abc\xff')
    expect(cutText('\x80\x80\x80\x80\x80', 4)).toBe('\x80\x80\x80\x80')
    expect(cutText('abc\xed\xa0', 4)).toBe('abc\xed')
  })

  test('has a way back to the bytes for every text', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
    fc.assert(
      fc.property(bytes, (buffer) => {
        const { value, escaped } = readText(buffer.toString('latin1'), {})
        expect(textBytes(value ?? '', escaped)).toEqual(buffer)
      }),
      { numRuns: 500 },
    )
  }, 60_000)

  test('shows valid text as Node does, at any limit', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 20 }), (whole, bytes) => {
        const shown = readText(wire(whole), { bytes })
        expect(shown.escaped).toBe(false)
        expect(whole.startsWith(shown.value ?? '')).toBe(true)
        expect(shown.cut).toBe(Buffer.byteLength(whole) > bytes)
        expect(Buffer.byteLength(shown.value ?? '')).toBeGreaterThan(
          Math.min(Buffer.byteLength(whole), bytes) - 4,
        )
      }),
      { numRuns: 500 },
    )
  }, 60_000)
})
