import type { FieldSpec } from '../schema/define.ts'
import { choose, isText, isToken, type Piece } from './snippets.ts'
import { nullTexts } from './values.ts'

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

/** Numbers a kind can have. */
export interface Range {
  readonly minimum: number
  readonly maximum: number
}

/** Statements that step over the tab before the field. */
export function openField({ name, refuse }: FieldPlace): string {
  return `
    // ${name}
    if (b[i++] !== 9) return ${refuse}
    const ${name}$from = i`
}

/** Where the field ends, and whether it says that there is no value. */
export function closeField({ name, spec }: FieldPlace): string {
  const texts = nullsOf(spec)
  const isNull =
    texts.length === 0
      ? ''
      : `
    const ${name}$null = ${texts.map((text) => isText(name, text)).join(' || ')}`
  return `const ${name}$to = i${isNull}`
}

/** Reads a canonical decimal into NAME$n and checks its range; what stands for null may lie outside of it. */
export function readInteger(place: FieldPlace, range: Range): string {
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
export function unlessToken({ isLast, token }: FieldPlace): string {
  return isLast && /^[0-9a-f]/.test(token) ? ` && !(${isToken(token)})` : ''
}

function nullsOf(spec: FieldSpec): readonly string[] {
  return spec.emptyIsNull ? [''] : nullTexts(spec)
}

/** The end of a condition that does not hold for a null. */
export function unlessNull({ name, spec }: FieldPlace): string {
  return nullsOf(spec).length === 0 ? '' : ` && !${name}$null`
}

/** The code, but null where the field says that there is no value. */
export function orNull({ name, spec }: FieldPlace, code: FieldCode): FieldCode {
  if (nullsOf(spec).length === 0) return code
  return {
    read: code.read,
    line: [{ code: choose(`${name}$null`, [{ text: 'null' }], code.line) }],
    value: `${name}$null ? null : ${code.value}`,
  }
}

/** What `code` writes, in quotes. */
export function quoted(code: string): readonly Piece[] {
  return [{ text: '"' }, { code }, { text: '"' }]
}

/** An expression: the field's bytes as a string. */
export function fieldText(name: string): string {
  return `text.slice(${name}$from, ${name}$to)`
}
