import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Expression, parseExpression } from '../../src/attach/expression.ts'
import { EbpfRunError } from '../../src/errors.ts'
import { errorOf } from '../error-of.ts'

/** The tree in prefix form, without places. */
function shown(expression: Expression): string {
  switch (expression.is) {
    case 'number':
      return String(expression.value)
    case 'text':
      return JSON.stringify(Buffer.from(expression.bytes).toString('latin1'))
    case 'address':
      return expression.text
    case 'name':
      return expression.name
    case 'member':
      return `${shown(expression.of)}.${expression.name}`
    case 'item':
      return `${shown(expression.of)}[${expression.index}]`
    case 'unary':
      return `(${expression.operator} ${shown(expression.of)})`
    case 'binary':
      return `(${expression.operator} ${shown(expression.left)} ${shown(expression.right)})`
    default:
      return expression satisfies never
  }
}

const tree = (source: string) => shown(parseExpression(source, '--where'))

const refused = (source: string) => errorOf(() => parseExpression(source, '--where'))

describe('an expression', () => {
  test.each([
    ['a == 1 or b and c', '(or (== a 1) (and b c))'],
    ['a + b * 2 - 3', '(- (+ a (* b 2)) 3)'],
    ['a & 0xff == 1', '(== (& a 255) 1)'],
    ['a << 2 | b', '(| (<< a 2) b)'],
    ['not a == 1 and b', '(and (not (== a 1)) b)'],
    ['!(a or b)', '(not (or a b))'],
    ['-a - -1', '(- (- a) (- 1))'],
    ['sk->__sk_common.skc_num', 'sk.__sk_common.skc_num'],
    ['a.b[3].c', 'a.b[3].c'],
    ['a && b || c', '(or (and a b) c)'],
    ['raddr == 10.0.0.1', '(== raddr 10.0.0.1)'],
    ['comm == "a\\n\\x00\\"\\\\é"', `(== comm ${JSON.stringify('a\n\0"\\Ã©')})`],
    ['((((a))))', 'a'],
    [' a\t>=\n7 ', '(>= a 7)'],
    ['18446744073709551615', '18446744073709551615'],
  ])('%s', (source, expected) => {
    expect(tree(source)).toBe(expected)
  })

  test.each([
    ['', 0],
    ['a ==', 4],
    ['a == == b', 5],
    ['a b', 2],
    ['a; system("x")', 1],
    ['{ print(1) }', 0],
    ['a == `id`', 5],
    ['"open', 0],
    ['a.5', 2],
    ['a[b]', 2],
    ['a[1', 3],
    ['(a', 2],
    ['1x', 0],
    ['18446744073709551616', 0],
    ['300.1.1.1', 0],
    ['a == b == c', 7],
    ['$x', 0],
    ['@map', 0],
    ['a /* x */', 3],
  ])('%j cannot be read, and the error points at the place', (source, at) => {
    const { code, detail } = refused(source)

    expect(code).toBe('BAD_VALUE')
    expect(detail?.split('\n')[1]).toBe(`${' '.repeat(at)}^`)
  })

  test('that nests too deep or is too long is refused at once', () => {
    expect(refused(`${'('.repeat(100_000)}`).message).toContain('longer')
    expect(refused(`${'('.repeat(60)}a${')'.repeat(60)}`).message).toContain('deep')
    expect(refused(`${'-'.repeat(60)}a`).message).toContain('deep')
  })

  test('made of anything is read or refused, and never more', () => {
    const pieces = fc.constantFrom(
      'a',
      '.',
      '->',
      '(',
      ')',
      '"',
      '\\',
      '==',
      '1',
      ' ',
      '[',
      ']',
      '-',
      'and',
      '{',
      '}',
      ';',
      '\n',
    )
    const anything = fc.oneof(
      fc.string(),
      fc.array(pieces).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(anything, (source) => {
        try {
          parseExpression(source, 'x')
        } catch (error) {
          expect(error).toBeInstanceOf(EbpfRunError)
        }
      }),
      { numRuns: 10_000 },
    )
  })
})
