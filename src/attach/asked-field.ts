import { EbpfRunError } from '../errors.ts'
import { common, tcpStates } from '../schema/common.ts'
import type { FieldSpec } from '../schema/define.ts'
import type { Value } from './compile.ts'
import { emitted, fieldOf } from './fields.ts'
import type { FieldRequest } from './request.ts'

/** Kinds that a field may be given, and from which it can be made. */
const kindNames = ['u64', 'i64', 'u32', 'i32', 'hex', 'duration', 'result', 'user'] as const

/** What a field may be called. */
export const fieldName = /^[a-z_][a-z0-9_]{0,31}$/

/** Reads `field=expression[:kind]`; of `sk.sk_mark` alone the field is sk_mark. Throws BAD_VALUE. */
export function parseFieldRequest(text: string): FieldRequest {
  const [, last] = /^(?:\w+\.)*([a-z_]\w*)$/i.exec(text) ?? []
  const typed = last === undefined ? text : `${last.toLowerCase()}=${text}`
  const [, name = '', rest = ''] = /^([^=]*)=([^]*)$/.exec(typed) ?? []
  if (!fieldName.test(name) || name in common || ['event', 'escaped', 'cut'].includes(name))
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'field=expression was expected',
      expected: `a name of small letters, digits and _ that is not ${Object.keys(common).join(', ')}`,
      found: JSON.stringify(text.slice(0, 120)),
      remedy: 'for example port=sk.__sk_common.skc_num',
    })
  const [, source = rest, kind = null] = /^([^]*):([a-z0-9]+)$/.exec(rest) ?? []
  if (kind !== null && !kindNames.some((each) => each === kind))
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${name}: there is no kind '${kind}'`,
      expected: kindNames.join(', '),
      found: text,
    })
  return { name, source, kind }
}

/** The quantity that `--hist EXPRESSION` draws: an expression that is no name gives the field `value`. */
export function parseDrawn(text: string, fields: readonly FieldRequest[]): FieldRequest {
  const asked = fields.find(({ name }) => name === text)
  if (asked !== undefined) return { ...asked, kind: asked.kind ?? 'u64' }
  const [, last = 'value'] = /^(?:\w+\.)*([a-z_]\w*)$/i.exec(text) ?? []
  return { name: last.toLowerCase(), source: text, kind: 'u64' }
}

/** A value is cut to its width first, and then as wide as a record has it. */
const casts: Readonly<Record<string, string>> = {
  i64: '(int64)',
  result: '(int64)',
  u32: '(uint64)(uint32)',
  i32: '(int64)(int32)',
}

const plainly = { emitted, code: (text: string) => text }

/**
 * The field and its expression; a kind that was asked for must fit the value. `isOfProgram`: a result is an `int`, of which a register holds
 * the lower half alone, where one of the kernel's may be an address.
 */
export function fieldFor(
  name: string,
  value: Value,
  source: string,
  kind: string | null,
  spelled: { emitted(value: Value): string; code(text: string): string } = plainly,
  isOfProgram = false,
): { spec: FieldSpec; code: string } {
  const bad = (expected: string): EbpfRunError =>
    new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${name}: ${source} is not ${expected}`,
      found: value.type.is,
    })
  if (kind === null) {
    const spec = fieldOf(value.type, source)
    if (spec === null) throw bad('a value by itself: name a member')
    const isState = name === 'state' && source.endsWith('skc_state')
    const states: FieldSpec = { kind: 'enum', names: tcpStates, doc: source }
    return { spec: isState ? states : spec, code: spelled.emitted(value) }
  }
  if (kind === 'user') {
    const isWide = value.type.is === 'int' && value.type.size === 8
    if (value.type.is !== 'text pointer' && value.type.is !== 'pointer' && !isWide)
      throw bad('a pointer to a text')
    const user: Value = { ...value, type: { is: 'text pointer', isUser: true } }
    return {
      spec: fieldOf(user.type, source) ?? { kind: 'text', doc: source },
      code: spelled.emitted(user),
    }
  }
  const isNumber =
    value.type.is === 'int' || value.type.is === 'pointer' || value.type.is === 'bool'
  if (!isNumber) throw bad('a number')
  const specs: Readonly<Record<string, FieldSpec>> = {
    u64: { kind: 'u64', doc: source, measure: true },
    i64: { kind: 'i64', doc: source },
    u32: { kind: 'u32', doc: source },
    i32: { kind: 'i32', doc: source },
    hex: { kind: 'pointer', doc: source },
    duration: { kind: 'duration', unit: 'ns', doc: source },
    result: { kind: 'result', doc: source, ...(isOfProgram ? {} : { wide: true }) },
  }
  return {
    spec: specs[kind] ?? { kind: 'u64', doc: source },
    code: spelled.code(
      `${casts[kind === 'result' && isOfProgram ? 'i32' : kind] ?? '(uint64)'}(${value.code})`,
    ),
  }
}
