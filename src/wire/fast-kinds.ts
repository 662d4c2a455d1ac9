import { EbpfRunError } from '../errors.ts'
import type { FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import { charCode, choose, copyField, isText, isToken, writeBytes, type Piece } from './snippets.ts'

/** Generated source for one field. */
export interface FieldCode {
  /** Statements that read it from `i` on, or return `refuse` for the careful way. */
  readonly read: string
  /** Writes its JSON. */
  readonly line: readonly Piece[]
  /** An expression of its value. */
  readonly value: string
}

/** Where a field stands in its record, and for which output it is read. */
export interface FieldPlace {
  readonly name: string
  readonly spec: FieldSpec
  readonly token: string
  /** Nothing but the token ends it. */
  readonly isLast: boolean
  readonly output: 'line' | 'event'
  /** Source of what a refusal returns. */
  readonly refuse: string
}

type KindCode = (place: FieldPlace) => FieldCode

/** The fast source of one field of a kind that travels. */
export function fastKind(place: FieldPlace): FieldCode {
  const code = codes[place.spec.kind]
  if (code) return code(place)
  throw new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `field ${place.name}: kind ${place.spec.kind} does not travel`,
  })
}

const codes: Readonly<Record<string, KindCode>> = {
  u8: (place) => integerCode(place, kinds.u8.json),
  u16: (place) => integerCode(place, kinds.u16.json),
  u32: (place) => integerCode(place, kinds.u32.json),
  i32: (place) => integerCode(place, kinds.i32.json),
  duration: (place) => integerCode(place, kinds.duration.json),
  u64: digitsCode,
  ktime: digitsCode,
  enum: enumCode,
  result: resultCode,
  address: addressCode,
  text: textCode,
}

interface Range {
  readonly minimum: number
  readonly maximum: number
}

function integerCode(place: FieldPlace, range: Range): FieldCode {
  const { name } = place
  const read = readInteger(place, range)
  return orNull(place, { read, line: [{ code: copyField(name) }], value: `${name}$n` })
}

/** Digits that stay text. Those of 20 digits may be too large and go the careful way. */
function digitsCode(place: FieldPlace): FieldCode {
  const { name, refuse } = place
  const read = `${openField(place)}
    while ((b[i] ^ 48) <= 9${unlessToken(place)}) i++
    ${closeField(place)}
    if (i === ${name}$from || i > ${name}$from + 19) return ${refuse}
    if (b[${name}$from] === 48 && i > ${name}$from + 1) return ${refuse}`
  return orNull(place, { read, line: quoted(copyField(name)), value: fieldText(name) })
}

function enumCode(place: FieldPlace): FieldCode {
  const { name, refuse } = place
  const read = `${readInteger(place, kinds.u32.json)}
    const ${name}$name = names.${name}[${name}$n]
    if (${name}$name === undefined${unlessNull(place)}) return ${refuse}`
  const line = [{ code: writeBytes(`${name}$name`) }]
  return orNull(place, { read, line, value: `${name}$name` })
}

function resultCode(place: FieldPlace): FieldCode {
  const { name } = place
  const line = [
    { text: '{"code":' },
    { code: copyField(name) },
    { text: ',"name":' },
    { code: writeBytes(`resultJson(${name}$n)`) },
    { text: '}' },
  ]
  const value = `{ code: ${name}$n, name: resultName(${name}$n) }`
  return orNull(place, { read: readInteger(place, kinds.result.json.properties.code), line, value })
}

/** IPv4 is checked in place; all else is looked up among the addresses already checked. */
function addressCode(place: FieldPlace): FieldCode {
  const { name, output, refuse } = place
  const fourText = output === 'line' ? `''` : fieldText(name)
  const read = `${openField(place)}
    while (addressChars[b[i]] === 1${unlessToken(place)}) i++
    ${closeField(place)}
    const ${name}$four = isIPv4(b, ${name}$from, ${name}$to)
    const ${name}$text = ${name}$four ? ${fourText} : support.address(${fieldText(name)})
    if (${name}$text === null${unlessNull(place)}) return ${refuse}`
  const write = `
    if (${name}$four) {${copyField(name)}
    } else {
      o = support.writeAscii(${name}$text, o)
    }`
  return orNull(place, { read, line: quoted(write), value: `${name}$text` })
}

/** Texts that need no second look: for a line no character that JSON escapes, for an event all ASCII. */
function textCode(place: FieldPlace): FieldCode {
  const { name, spec, token, refuse } = place
  const limit =
    spec.bytes === undefined
      ? ''
      : `
    if (i > ${name}$from + ${spec.bytes}) return ${refuse}`
  const read = `${openField(place)}
    for (;;) {
      while (textChars[b[i]] === 1) i++
      if (b[i] !== ${charCode(token)}) return ${refuse}
      if (${isToken(token)}) break
      i++
    }
    ${closeField(place)}${limit}
    i += ${token.length}`
  return orNull(place, { read, line: quoted(copyField(name)), value: fieldText(name) })
}

function openField({ name, refuse }: FieldPlace): string {
  return `
    // ${name}
    if (b[i++] !== 9) return ${refuse}
    const ${name}$from = i`
}

/** Where the field ends, and whether it says that there is no value. */
function closeField({ name, spec }: FieldPlace): string {
  const isNull =
    nullText(spec) === undefined
      ? ''
      : `
    const ${name}$null = ${isText(name, nullText(spec) ?? '')}`
  return `const ${name}$to = i${isNull}`
}

/** Reads a canonical decimal into NAME$n and checks its range; what stands for null may lie outside of it. */
function readInteger(place: FieldPlace, range: Range): string {
  const { name, spec, refuse } = place
  const isSigned = range.minimum < 0 || String(spec.nullAs).startsWith('-')
  const first = isSigned ? `${name}$first` : `${name}$from`
  const sign = `
    const ${name}$first = b[i] === 45 ? ++i : i`
  const turn = `
    if (${name}$first !== ${name}$from) {
      if (${name}$n === 0) return ${refuse}
      ${name}$n = -${name}$n
    }`
  const low = isSigned ? `${name}$n < ${range.minimum} || ` : ''
  return `${openField(place)}${isSigned ? sign : ''}
    let ${name}$n = 0
    while ((c = b[i] ^ 48) <= 9${unlessToken(place)}) { ${name}$n = ${name}$n * 10 + c; i++ }
    ${closeField(place)}
    if (i === ${first} || (b[${first}] === 48 && i > ${first} + 1)) return ${refuse}${isSigned ? turn : ''}
    if ((${low}${name}$n > ${range.maximum})${unlessNull(place)}) return ${refuse}`
}

/** A token that begins with a character of the field's own alphabet ends the last field all the same. */
function unlessToken({ isLast, token }: FieldPlace): string {
  return isLast && /^[0-9a-f]/.test(token) ? ` && !(${isToken(token)})` : ''
}

function nullText(spec: FieldSpec): string | undefined {
  return spec.emptyIsNull ? '' : spec.nullAs === undefined ? undefined : String(spec.nullAs)
}

function unlessNull({ name, spec }: FieldPlace): string {
  return nullText(spec) === undefined ? '' : ` && !${name}$null`
}

function orNull({ name, spec }: FieldPlace, code: FieldCode): FieldCode {
  if (nullText(spec) === undefined) return code
  return {
    read: code.read,
    line: [{ code: choose(`${name}$null`, [{ text: 'null' }], code.line) }],
    value: `${name}$null ? null : ${code.value}`,
  }
}

function quoted(code: string): readonly Piece[] {
  return [{ text: '"' }, { code }, { text: '"' }]
}

function fieldText(name: string): string {
  return `text.slice(${name}$from, ${name}$to)`
}
