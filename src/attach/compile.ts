import type { TypeText } from '../host/btf-types.ts'
import { type BinaryOperator, type Expression, expressionError } from './expression.ts'

/** What a value of an expression is. */
export type ValueType =
  | {
      readonly is: 'int'
      /** Bytes: 1, 2, 4 or 8. */
      readonly size: number
      readonly signed: boolean
      readonly names?: Readonly<Record<number, string>>
      /** A 16-bit number in network order. */
      readonly isPort?: boolean
    }
  | { readonly is: 'bool' }
  /** Bytes that end with a NUL: at most `bytes` are shown. */
  | { readonly is: 'text'; readonly bytes: number }
  /** Points to characters, in the memory of the kernel or of the process. */
  | { readonly is: 'text pointer'; readonly isUser: boolean }
  | { readonly is: 'pointer'; readonly struct: string | null }
  /** An IP address of 4 or 16 bytes. */
  | { readonly is: 'address'; readonly bytes: 4 | 16; readonly form: 'in6' | 'in4' | 'raw' }
  /** A struct that is not a value by itself; its members are. */
  | { readonly is: 'struct'; readonly name: string }

/** A value as a template has it. */
export interface Value {
  readonly type: ValueType
  /** The expression; of an address what stands behind its form. */
  readonly code: string
}

/** A member of a struct, as BTF has it, anonymous structs and unions looked through. */
export interface Member {
  readonly type: TypeText
  /** Bytes in all, and of each item where it is an array. */
  readonly size: number
  readonly length: number
}

/** Names that an expression may use, and the structs of this kernel. */
export interface Scope {
  readonly names: Readonly<Record<string, Value>>
  /** Names that are there and have no value, with the reason. */
  readonly lacks?: Readonly<Record<string, string>>
  /** The member of a path (`sock.__sk_common.skc_dport`); null: BTF has none, or it is a bit-field. */
  member(path: string): Member | null
  /** Member names of a struct, for what to type instead. */
  members(struct: string): readonly string[]
}

/** An expression rendered: its value, and the statements that stand before it. */
export interface Compiled {
  readonly value: Value
  readonly before: readonly string[]
}

/** A place in the kernel's memory: the struct at `pointer`, and the path from it. */
interface Place {
  readonly pointer: string
  /** `sock.__sk_common`; the first word names the struct. */
  readonly path: string
}

/** What is compiled, and how it is spelled. */
export interface CompileContext {
  readonly source: string
  /** The option or field, for errors. */
  readonly what: string
  variable(): string
  /** Whether two texts are equal, where `==` does not say it; null for texts that cannot be compared. */
  equal?(a: string, b: string): string | null
}

/** Bytes of a text that are shown where nothing says how long it is. */
const textBytes = 128

/** Types and renders an expression. `variable` gives names for what is read on the way. Throws BAD_VALUE that points at the place. */
export function compileExpression(
  expression: Expression,
  scope: Scope,
  context: CompileContext,
): Compiled {
  const compiler = new Compiler(scope, context)
  const value = compiler.value(expression)
  return { value, before: compiler.before }
}

class Compiler {
  readonly before: string[] = []
  private readonly scope: Scope
  private readonly context: CompileContext

  constructor(scope: Scope, context: CompileContext) {
    this.scope = scope
    this.context = context
  }

  value(expression: Expression): Value {
    switch (expression.is) {
      case 'number':
        return { type: { is: 'int', size: 8, signed: false }, code: String(expression.value) }
      case 'text':
        return {
          type: { is: 'text', bytes: expression.bytes.length },
          code: `"${expression.bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`,
        }
      case 'address':
        throw this.error(expression, 'an address stands at one side of == or !=')
      case 'name':
        return this.named(expression)
      case 'member':
      case 'item':
        return this.member(expression)
      case 'unary':
        return this.unary(expression)
      case 'binary':
        return this.binary(expression)
      default:
        return expression satisfies never
    }
  }

  private named(expression: Expression & { is: 'name' }): Value {
    const { names, lacks = {} } = this.scope
    const value = Object.hasOwn(names, expression.name) ? names[expression.name] : undefined
    if (value === undefined && Object.hasOwn(lacks, expression.name))
      throw this.error(expression, `${expression.name} cannot be read; ${lacks[expression.name]}`)
    if (value === undefined)
      throw this.error(
        expression,
        `there is no '${expression.name}' here`,
        Object.keys(names).join(', '),
      )
    return value
  }

  /** Follows members from a pointer; each pointer on the way is read into a variable. */
  private member(expression: Expression & { is: 'member' | 'item' }): Value {
    const place = this.placeOf(expression)
    return this.read(place, expression)
  }

  private placeOf(expression: Expression): Place & { index: number | null } {
    if (expression.is === 'item') {
      const place = this.placeOf(expression.of)
      if (place.index !== null) throw this.error(expression, 'an item has no items')
      return { ...place, index: expression.index }
    }
    if (expression.is !== 'member') throw this.error(expression, 'this has no items')
    const inner = expression.of
    const from =
      inner.is === 'member' ? this.structPlace(this.placeOf(inner), inner) : this.pointed(inner)
    const path = `${from.path}.${expression.name}`
    if (this.scope.member(path) === null) {
      const struct = this.structOf(from)
      throw this.error(
        expression,
        `struct ${struct} has no member '${expression.name}' with a place of its own`,
        this.scope.members(struct).slice(0, 40).join(', '),
      )
    }
    return { pointer: from.pointer, path, index: null }
  }

  /** The place that the members of a member are counted from. */
  private structPlace(place: Place & { index: number | null }, at: Expression): Place {
    const type = this.scope.member(place.path)?.type
    if (type?.as === 'other' && type.struct !== null) return place
    const value = this.read(place, at)
    return this.target(value, at)
  }

  private pointed(expression: Expression): Place {
    return this.target(this.value(expression), expression)
  }

  private target({ type, code }: Value, at: Expression): Place {
    if (type.is !== 'pointer' || type.struct === null)
      throw this.error(at, 'this is no pointer to a struct')
    return { pointer: this.kept(code), path: type.struct }
  }

  private structOf({ path }: Place): string {
    if (!path.includes('.')) return path
    return this.scope.member(path)?.type.struct ?? path
  }

  private read({ pointer, path, index }: Place & { index: number | null }, at: Expression): Value {
    const member = this.scope.member(path)
    if (member === null) throw this.error(at, `${path} has no place of its own`)
    const { type, size, length } = member
    if (length > 0 && index === null) {
      if (/\bchar\b/.test(type.text))
        return { type: { is: 'text', bytes: size - 1 }, code: `{string ${path} ${pointer}}` }
      throw this.error(at, `${path} is an array: name an item, as in ${path.split('.').at(-1)}[0]`)
    }
    if (type.struct === 'in6_addr' && type.as === 'other')
      return { type: { is: 'address', bytes: 16, form: 'in6' }, code: `${path} ${pointer}` }
    if (type.as === 'other' && length === 0)
      return { type: { is: 'struct', name: type.struct ?? '' }, code: '' }
    const read = `{read ${path}${index === null ? '' : `[${index}]`} ${pointer}}`
    if (type.text === '__be16')
      return {
        type: { is: 'int', size: 2, signed: false, isPort: true },
        code: `{port ${path} ${pointer}}`,
      }
    if (type.text === '__be32')
      return { type: { is: 'address', bytes: 4, form: 'in4' }, code: read }
    return { type: valueTypeOf(type, length > 0 ? size / length : size), code: read }
  }

  private unary(expression: Expression & { is: 'unary' }): Value {
    const { code, type } = this.value(expression.of)
    if (expression.operator === 'not') {
      this.requireCondition(type, expression.of)
      return { type: { is: 'bool' }, code: `!(${code})` }
    }
    if (type.is !== 'int') throw this.error(expression, 'only a number has a negative')
    return { type: { is: 'int', size: 8, signed: true }, code: `(0 - ${signedCode(code)})` }
  }

  private binary(expression: Expression & { is: 'binary' }): Value {
    const { operator, left, right } = expression
    if (operator === 'and' || operator === 'or') {
      const [a, b] = [this.value(left), this.value(right)]
      this.requireCondition(a.type, left)
      this.requireCondition(b.type, right)
      return {
        type: { is: 'bool' },
        code: `((${a.code}) ${operator === 'and' ? '&&' : '||'} (${b.code}))`,
      }
    }
    if (isComparison(operator)) return this.comparison(expression, operator)
    const [a, b] = [this.value(left), this.value(right)]
    if (a.type.is !== 'int' || b.type.is !== 'int')
      throw this.error(expression, `'${operator}' is for numbers`)
    if ((operator === '/' || operator === '%') && right.is !== 'number')
      throw this.error(right, `'${operator}' is by a number that is written out`)
    if ((operator === '/' || operator === '%') && right.is === 'number' && right.value === 0n)
      throw this.error(right, 'nothing is divided by 0')
    if (isRounded(operator) && a.type.signed)
      return {
        type: { is: 'int', size: 8, signed: true },
        code: this.rounded(operator, signedCode(a.code), b.code),
      }
    const signed = a.type.signed || b.type.signed
    const [x, y] = signed ? [signedCode(a.code), signedCode(b.code)] : [a.code, b.code]
    return { type: { is: 'int', size: 8, signed }, code: `((${x}) ${operator} (${y}))` }
  }

  /**
   * What is below 0 by a positive number. BPF has no signed division, and bpftrace shifts as if there were no sign: so both are done to
   * the magnitude, or its complement, and the sign is put back. `mask` is all ones below 0, else 0.
   */
  private rounded(operator: '/' | '%' | '>>', code: string, by: string): string {
    const value = this.once(code)
    const mask = this.once(`(uint64)0 - (((uint64)${value} >> 63) & 1)`)
    const flipped = `((uint64)${value} ^ ${mask})`
    return operator === '>>'
      ? `((int64)((${flipped} >> ${by}) ^ ${mask}))`
      : `((int64)((((${flipped} - ${mask}) ${operator} ${by}) ^ ${mask}) - ${mask}))`
  }

  private comparison(
    { left, right, at }: Expression & { is: 'binary' },
    operator: BinaryOperator,
  ): Value {
    const bool = { is: 'bool' } as const
    if (left.is === 'address' || right.is === 'address') {
      const [address, other] = left.is === 'address' ? [left, right] : [right, left]
      const value = this.value(other)
      if (address.is !== 'address' || value.type.is !== 'address' || value.type.form !== 'in4')
        throw this.error({ ...left, at }, 'an address is compared with an IPv4 address (a __be32)')
      this.requireEquality(operator, left)
      const bytes = address.text.split('.').map(Number)
      const number = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0)
      return { type: bool, code: `((${value.code}) ${operator} ${number})` }
    }
    const [a, b] = [this.value(left), this.value(right)]
    if (a.type.is === 'text' || b.type.is === 'text' || a.type.is === 'text pointer') {
      this.requireEquality(operator, left)
      const [x, y] = [this.text(a, left), this.text(b, right)]
      if (this.context.equal === undefined) return { type: bool, code: `(${x} ${operator} ${y})` }
      const equal = this.context.equal(x, y)
      if (equal === null)
        throw this.error({ ...left, at }, 'here comm is compared with a text that is written out')
      return { type: bool, code: operator === '==' ? equal : `!${equal}` }
    }
    if (!isNumber(a.type) || !isNumber(b.type))
      throw this.error({ ...left, at }, `'${operator}' is for numbers, texts and addresses`)
    const signed = (a.type.is === 'int' && a.type.signed) || (b.type.is === 'int' && b.type.signed)
    const [x, y] = signed ? [signedCode(a.code), signedCode(b.code)] : [a.code, b.code]
    return { type: bool, code: `((${x}) ${operator} (${y}))` }
  }

  private text({ type, code }: Value, at: Expression): string {
    if (type.is === 'text') return code
    if (type.is === 'text pointer')
      return type.isUser ? `{text ${this.kept(code)} ${textBytes}}` : `str(${code}, ${textBytes})`
    throw this.error(at, 'a text is compared with a text')
  }

  private requireEquality(operator: BinaryOperator, at: Expression): void {
    if (operator !== '==' && operator !== '!=')
      throw this.error(at, `texts and addresses are equal or not: '${operator}' is for numbers`)
  }

  private requireCondition(type: ValueType, at: Expression): void {
    if (type.is !== 'bool' && !isNumber(type))
      throw this.error(at, 'a condition was expected', 'a comparison, or a number that is not 0')
  }

  /** A variable that has this value: a directive cannot stand inside another. */
  private kept(code: string): string {
    if (/^\$?\w+$/.test(code)) return code
    const variable = this.context.variable()
    this.before.push(`${variable} = ${inStatement(code)};`)
    return variable
  }

  /** What can stand several times for a value. In C there is no place for a variable, so it is worked out each time. */
  private once(code: string): string {
    return this.context.equal === undefined ? this.kept(code) : `(${code})`
  }

  private error(at: { readonly at: number }, message: string, expected?: string) {
    return expressionError(this.context.source, at.at, this.context.what, message, expected)
  }
}

/** Directives have single braces inside an emit, double ones anywhere else. */
export function inStatement(code: string): string {
  return code.replace(/\{([a-z]+ [^{}]*)\}/g, '{{$1}}')
}

function isRounded(operator: BinaryOperator): operator is '/' | '%' | '>>' {
  return operator === '/' || operator === '%' || operator === '>>'
}

function isComparison(operator: BinaryOperator): boolean {
  return ['==', '!=', '<', '<=', '>', '>='].includes(operator)
}

function isNumber(type: ValueType): boolean {
  return (
    type.is === 'int' || type.is === 'bool' || type.is === 'pointer' || type.is === 'text pointer'
  )
}

function signedCode(code: string): string {
  return /^\d+$/.test(code) ? code : `(int64)(${code})`
}

/** What a C type is in an expression. */
export function valueTypeOf(type: TypeText, size: number): ValueType {
  if (type.as === 'pointer')
    return type.isText
      ? { is: 'text pointer', isUser: false }
      : { is: 'pointer', struct: type.struct }
  return { is: 'int', size: [1, 2, 4, 8].includes(size) ? size : 8, signed: type.signed }
}
