import { afterEach, describe, expect, test } from 'vitest'
import type { AnyEvent } from '../../src/schema/define.ts'
import type { Kind } from '../../src/schema/kinds.ts'
import { cellText } from '../../src/sinks/cells.ts'

function cell(kind: Kind, value: unknown, marks: Partial<AnyEvent> = {}): string {
  return cellText({ event: 'e', f: value, ...marks }, { name: 'f', kind }, true)
}

describe('a cell', () => {
  const rows: readonly (readonly [Kind, unknown, string])[] = [
    ['u16', 443, '443'],
    ['i32', -2, '-2'],
    ['u64', '18446744073709551615', '18446744073709551615'],
    ['duration', 1_234_567, '1.235'],
    ['duration', 0, '0.000'],
    ['address', '2001:db8::1', '2001:db8::1'],
    ['enum', 'UNKNOWN_99', 'UNKNOWN_99'],
    ['result', { code: -111, name: 'ECONNREFUSED' }, 'ECONNREFUSED'],
    ['text', 'kworker/0:1', 'kworker/0:1'],
    ['text', 'x\nLost 9 events', String.raw`x\nLost 9 events`],
    ['family', 6, '6'],
    ['time', '2026-11-21T03:30:00.123956789Z', '03:30:00.123'],
    ['u32', null, '-'],
    ['texts', null, '-'],
  ]
  test.each(rows)('of kind %s with %j shows %s', (kind, value, shown) => {
    expect(cell(kind, value)).toBe(shown)
  })

  test('shows a sum of durations in milliseconds, as it shows a duration', () => {
    const event = { event: 'e', wait_sum_ns: '4500000' }

    expect(cellText(event, { name: 'wait_sum_ns', kind: 'u64' }, true)).toBe('4.500')
  })

  test('is blank where the event type has no such field', () => {
    expect(cell('u32', undefined)).toBe('')
  })

  test('tells the texts "" and "-" from null', () => {
    expect([cell('text', ''), cell('text', '-'), cell('texts', ['-'])]).toEqual([
      "''",
      "'-'",
      "'-'",
    ])
  })

  test('of a cut text ends in an ellipsis', () => {
    expect(cell('text', 'averylongname', { cut: ['f'] })).toBe('averylongname…')
  })
})

describe('a list of texts', () => {
  const rows: readonly (readonly [string, readonly (string | null)[], string])[] = [
    ['joins plain words by spaces', ['ls', '-l', '--color=auto'], 'ls -l --color=auto'],
    ['quotes a word with a space', ['a b'], "'a b'"],
    ['quotes an empty word', ['a', ''], "a ''"],
    ['quotes double quotes', ['say "hi"'], `'say "hi"'`],
    ['quotes a single quote readably', ["it's"], `"it's"`],
    ['quotes both quotes', [`it's "x"`], `'it'\\''s "x"'`],
    ['quotes what a shell would expand', ['$HOME', '*.c'], "'$HOME' '*.c'"],
    ['shows an unread word as a bare ?', ['a', null, '?'], "a ? '?'"],
    ['shows controls in ANSI-C quotes', ["a\nb'c\\d"], String.raw`$'a\nb\'c\\d'`],
    ['is blank when empty', [], ''],
  ]
  test.each(rows)('%s', (_, words, shown) => {
    expect(cell('texts', words)).toBe(shown)
  })

  test('keeps the bytes of an escaped word', () => {
    const shown = cell('texts', [String.raw`a\xff\x5cn`, String.raw`a\xff`], { escaped: ['f[0]'] })

    expect(shown).toBe(String.raw`$'a\xff\x5cn' 'a\xff'`)
  })

  test('marks the word that was cut', () => {
    expect(cell('texts', ['long', 'b'], { cut: ['f[0]'] })).toBe('long… b')
  })

  test('marks a list that goes on', () => {
    expect(cell('texts', ['a', 'b'], { cut: ['f'] })).toBe('a b …')
  })

  test('does not let a word pass for such a mark', () => {
    expect(cell('texts', ['a', '…'])).toBe("a '…'")
  })
})

describe('a time', () => {
  const zone = process.env['TZ']
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  })

  test("is in this machine's time zone unless UTC is asked for", () => {
    process.env['TZ'] = 'Asia/Kolkata'
    const event = { event: 'e', time: '2026-11-21T03:30:00.123956789Z' }

    expect(cellText(event, { name: 'time', kind: 'time' }, false)).toBe('09:00:00.123')
    expect(cellText(event, { name: 'time', kind: 'time' }, true)).toBe('03:30:00.123')
  })
})
