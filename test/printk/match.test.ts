import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMatcher } from '../../src/printk/match.ts'
import { parsePattern } from '../../src/printk/pattern.ts'

const matched = (pattern: string, message: string) => createMatcher(parsePattern(pattern))(message)

describe('a message', () => {
  test.each(
    [
      ['PID %d -> %s:%d', 'PID 7 -> web-1:443', ['7', 'web-1', '443']],
      ['PID %d -> %s:%d', 'PID -7 -> ::1:443', ['-7', '::1', '443']],
      ['%s:%d', 'a:b:5', ['a:b', '5']],
      ['%s', '', ['']],
      ['[%s]', '[a\nb\t]]', ['a\nb\t]']],
      ['%5d|', '   42|', ['42']],
      ['%-5d|', '42   |', ['42']],
      ['%05d', '00042', ['42']],
      ['%+d', '+42', ['42']],
      ['%x', 'ff', ['255']],
      ['%#x', '0xff', ['255']],
      ['%llx', 'ffffffffffffffff', ['18446744073709551615']],
      ['%llu', '18446744073709551615', ['18446744073709551615']],
      ['%lld', '-9223372036854775808', ['-9223372036854775808']],
      ['%p', '00000000abcdef12', ['abcdef12']],
      ['%px', '0xffff888000000000', ['ffff888000000000']],
      ['%p', '(null)', ['']],
      ['%p', '(____ptrval____)', ['']],
      ['%pI4:%u', '10.0.0.1:80', ['10.0.0.1', '80']],
      ['%pI6c', 'fe80::1', ['fe80::1']],
      ['%c%c', 'ab', ['a', 'b']],
      ['%d%d', '12', ['1', '2']],
      ['100%% of %d', '100% of 5', ['5']],
    ].filter(([pattern]) => pattern !== '%pi4') as [string, string, string[] | null][],
  )('of %j: %j', (pattern, message, values) => expect(matched(pattern, message)).toEqual(values))

  test.each([
    ['PID %d', 'PID x'],
    ['PID %d', 'xPID 1'],
    ['PID %d', 'PID 1 '.concat('x')],
    ['PID %d', 'pid 1'],
    ['%d', ''],
    ['%d', '2147483648'],
    ['%u', '-1'],
    ['%u', '4294967296'],
    ['%llu', '18446744073709551616'],
    ['%x', 'fg'],
    ['%pI4', '10.0.0.256'],
    ['%pI6', '1:2'],
    ['%c', 'ab'],
    ['a.c%d', 'abc1'],
  ])('not of %j: %j', (pattern, message) => expect(matched(pattern, message)).toBeNull())

  test('that was made of the pattern gives its values back', () => {
    const word = fc.string({ unit: 'binary-ascii', maxLength: 20 })
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), word, fc.nat(), (a, s, b) => {
        fc.pre(!s.includes('; port '))
        const values = matched('pid %d says %s; port %u', `pid ${a} says ${s}; port ${b}`)
        expect(values).toEqual([String(a), s, String(b)])
      }),
    )
  })

  test.each([
    ['%s:%s:%s:%s:%s:%s:%s:%s:%s:%d', ':'.repeat(1_022)],
    ['%s%d %s%d %s%d %s%d %s%d|', ' '.repeat(1_022)],
    ['%s%d %s%d %s%d %s%d %s%d|', '1 '.repeat(511)],
    ['%d %d %d %d %d %d %d %d|', '1'.repeat(1_022)],
    ['%s%x%x%x%x%x%x%x%x|', 'f'.repeat(1_022)],
  ])('%j takes no long time over a hostile one', (pattern, message) => {
    const match = createMatcher(parsePattern(pattern))
    const started = performance.now()
    expect(match(message)).toBeNull()
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})
