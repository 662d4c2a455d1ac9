import { EbpfRunError } from '../errors.ts'

/*
 * Expressions of `trace`, from the loosest to the tightest:
 *
 *   a or b      a and b      not a
 *   a == b  !=  <  <=  >  >=
 *   a | b       a & b        a << b   a >> b
 *   a + b  a - b             a * b  a / b  a % b
 *   -a
 *   a.member    a[3]
 *   name   123   0x1f   "text"   10.1.2.3   (expression)
 *
 * `a->member` is a.member, `&&`, `||` and `!` are and, or and not. In a text \n, \t, \", \\ and \xHH stand for a byte.
 */

/** An expression as a tree; `at` is its place in the text, for errors. */
export type Expression = { readonly at: number } & (
  | { readonly is: 'number'; readonly value: bigint }
  | { readonly is: 'text'; readonly bytes: readonly number[] }
  | { readonly is: 'address'; readonly text: string }
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'member'; readonly of: Expression; readonly name: string }
  | { readonly is: 'item'; readonly of: Expression; readonly index: number }
  | { readonly is: 'unary'; readonly operator: '-' | 'not'; readonly of: Expression }
  | {
      readonly is: 'binary'
      readonly operator: BinaryOperator
      readonly left: Expression
      readonly right: Expression
    }
)

/** Operators by how tight they bind, the loosest first. */
const levels = [
  ['or'],
  ['and'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['|'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
] as const

export type BinaryOperator = (typeof levels)[number][number]

interface Token {
  readonly at: number
  readonly kind: 'number' | 'text' | 'address' | 'name' | 'sign' | 'end'
  readonly text: string
}

/** Longer than anybody writes, and short enough that nothing here takes long or nests deep. */
const longest = 2_000
const deepest = 50

const spellings: Readonly<Record<string, string>> = {
  '&&': 'and',
  '||': 'or',
  '!': 'not',
  '->': '.',
}

const tokenPattern =
  /\s*(?:(?<address>\d{1,3}(?:\.\d{1,3}){3}(?![\w.]))|(?<number>0x[0-9a-fA-F]+|\d+)(?![\w])|(?<name>[A-Za-z_]\w*)|(?<text>"(?:[^"\\]|\\(?:[^x]|x[0-9a-fA-F]{2}))*")|(?<sign>->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|<>!.()[\]]))/y

/** Reads an expression. Throws BAD_VALUE that points at the place; `what` names the option. */
export function parseExpression(source: string, what: string): Expression {
  if (source.length > longest)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${what}: the expression is longer than ${longest} letters`,
    })
  return new Parser(source, what).whole()
}

/** An error with the expression and a mark below the place. */
export function expressionError(
  source: string,
  at: number,
  what: string,
  message: string,
  expected?: string,
): EbpfRunError {
  const line = source.replace(/[^\x20-\x7e]/g, '?')
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `${what}: ${message}`,
    ...(expected === undefined ? {} : { expected }),
    detail: `${line}\n${' '.repeat(at)}^`,
  })
}

class Parser {
  private readonly source: string
  private readonly what: string
  private readonly tokens: readonly Token[]
  private next = 0
  private depth = 0

  constructor(source: string, what: string) {
    this.source = source
    this.what = what
    this.tokens = this.split()
  }

  whole(): Expression {
    const expression = this.level(0)
    if (this.token().kind !== 'end')
      throw this.error(`'${this.token().text}' was not expected here`)
    return expression
  }

  private level(index: number): Expression {
    const operators: readonly string[] | undefined = levels[index]
    if (operators === undefined) return this.prefix()
    let left = this.level(index + 1)
    for (;;) {
      const { text, kind, at } = this.token()
      const isOperator = (kind === 'sign' || kind === 'name') && operators.includes(text)
      if (!isOperator) return left
      this.next += 1
      const right = this.level(index + 1)
      left = { is: 'binary', operator: text as BinaryOperator, left, right, at }
      // A comparison of a comparison is a mistake, not a question.
      if (index === comparison && operators.includes(this.token().text))
        throw this.error('comparisons do not chain', 'and between them')
    }
  }

  private prefix(): Expression {
    const { text, kind, at } = this.token()
    if ((kind === 'sign' && text === '-') || (kind !== 'text' && text === 'not')) {
      this.next += 1
      const of = this.nested(() => (text === 'not' ? this.level(comparison) : this.prefix()))
      return { is: 'unary', operator: text === 'not' ? 'not' : '-', of, at }
    }
    return this.postfix()
  }

  private postfix(): Expression {
    let of = this.primary()
    for (;;) {
      const { text, kind, at } = this.token()
      if (kind !== 'sign' || (text !== '.' && text !== '[')) return of
      this.next += 1
      const inner = this.token()
      if (text === '.') {
        if (inner.kind !== 'name') throw this.error('a member name was expected')
        this.next += 1
        of = { is: 'member', of, name: inner.text, at }
        continue
      }
      if (inner.kind !== 'number' || Number(inner.text) > 65_535)
        throw this.error('an index from 0 to 65535 was expected')
      this.next += 1
      this.take(']')
      of = { is: 'item', of, index: Number(inner.text), at }
    }
  }

  private primary(): Expression {
    const { kind, text, at } = this.token()
    if (kind === 'end') throw this.error('the expression ends where a value was expected')
    this.next += 1
    switch (kind) {
      case 'number': {
        const value = BigInt(text)
        if (value >= 1n << 64n) throw this.errorAt(at, 'a number has 64 bits')
        return { is: 'number', value, at }
      }
      case 'address':
        if (text.split('.').some((part) => Number(part) > 255))
          throw this.errorAt(at, 'the parts of an address are 0 to 255')
        return { is: 'address', text, at }
      case 'text':
        return { is: 'text', bytes: bytesOf(text), at }
      case 'name':
        return { is: 'name', name: text, at }
      default: {
        if (text !== '(') throw this.errorAt(at, `'${text}' was not expected here`)
        const inner = this.nested(() => this.level(0))
        this.take(')')
        return inner
      }
    }
  }

  private nested<T>(read: () => T): T {
    this.depth += 1
    if (this.depth > deepest) throw this.error(`an expression nests at most ${deepest} deep`)
    const value = read()
    this.depth -= 1
    return value
  }

  private take(text: string): void {
    if (this.token().text !== text) throw this.error(`'${text}' was expected`)
    this.next += 1
  }

  private token(): Token {
    return this.tokens[this.next] ?? { at: this.source.length, kind: 'end', text: '' }
  }

  private error(message: string, expected?: string): EbpfRunError {
    return this.errorAt(this.token().at, message, expected)
  }

  private errorAt(at: number, message: string, expected?: string): EbpfRunError {
    return expressionError(this.source, at, this.what, message, expected)
  }

  private split(): readonly Token[] {
    const { source } = this
    const tokens: Token[] = []
    const end = source.trimEnd().length
    let at = 0
    while (at < end) {
      tokenPattern.lastIndex = at
      const match = tokenPattern.exec(source)
      if (match === null) {
        const place = at + (/^\s*/.exec(source.slice(at))?.[0].length ?? 0)
        throw this.errorAt(place, 'this cannot be read')
      }
      const [kind = 'end', text = ''] =
        Object.entries(match.groups ?? {}).find(([, each]) => each !== undefined) ?? []
      const spelled = kind === 'sign' && Object.hasOwn(spellings, text) ? spellings[text] : text
      at = tokenPattern.lastIndex
      tokens.push({ at: at - text.length, kind: kind as Token['kind'], text: spelled ?? text })
    }
    return tokens
  }
}

const comparison = 2

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', '"': '"', '\\': '\\' }

/** The bytes of a quoted text; an unknown escape is the letter itself. */
function bytesOf(quoted: string): readonly number[] {
  const parts = quoted.slice(1, -1).matchAll(/\\x([0-9a-fA-F]{2})|\\([^])|([^\\]+)/g)
  return [...parts].flatMap(([, hex, letter, plain]) =>
    hex === undefined
      ? [...Buffer.from(plain ?? escapes[letter ?? ''] ?? letter ?? '')]
      : [Number.parseInt(hex, 16)],
  )
}
