import type { AnyEvent } from '../schema/define.ts'

/** Closed range of integers. */
export interface Range {
  readonly min: number | bigint
  readonly max: number | bigint
}

/** One accepted or refused value of a filter. */
export interface Choice<T> {
  readonly negated: boolean
  readonly value: T
}

/** An address block: 16 bytes of IPv6 (IPv4 as v4-mapped) and how many leading bits count. */
export interface Block {
  readonly bytes: readonly number[]
  readonly bits: number
}

/** What a user asked for, parsed. A filter holds when no negated choice matches and, if there are others, one of those does. */
export type Filter =
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'number'
      readonly choices: readonly Choice<Range>[]
    }
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'text'
      readonly choices: readonly Choice<readonly number[]>[]
    }
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'address'
      readonly choices: readonly Choice<Block>[]
    }

/** `--failed` or `--ok`: any (or none) of these numeric fields lies in its range. */
export interface OutcomeFilter {
  readonly flag: 'failed' | 'ok'
  readonly by: 'outcome'
  readonly fields: readonly { readonly field: string; readonly range: Range }[]
}

export type AnyFilter = Filter | OutcomeFilter

/**
 * How the value of a field is written in a program: a number, a text, or where 16 address bytes lie. `nullAs` is the number, or
 * the address `::`, that stands for no value.
 */
export type Expression =
  | { readonly as: 'value'; readonly text: string; readonly nullAs?: number | string }
  | {
      readonly as: 'words'
      readonly words: readonly [string, string, string, string]
      readonly nullAs?: number | string
    }
  | { readonly as: 'opaque' }

/** A bpftrace condition for the filter, or null when it cannot run in the kernel with these expressions. */
export function kernelCondition(
  filter: AnyFilter,
  expressionOf: (field: string) => Expression | null,
): string | null {
  if (filter.by === 'outcome') return outcomeCondition(filter, expressionOf)
  const expression = expressionOf(filter.field)
  if (expression === null || expression.as === 'opaque') return null
  if (filter.by === 'address' || expression.as === 'words') {
    if (expression.as !== 'words') return null
    const { words } = expression
    const hasValue = expression.nullAs === undefined ? '' : ` && !(${noAddress(words)})`
    if (filter.by === 'address')
      return anyAndNone(filter.choices, (block) => blockCondition(words, block) + hasValue)
    // --family on an address: is it v4-mapped?
    return filter.by === 'number'
      ? anyAndNone(filter.choices, (range) => familyCondition(words, range) + hasValue)
      : null
  }
  return filter.by === 'number'
    ? anyAndNone(filter.choices, (range) => rangeCondition(expression, range))
    : anyAndNone(filter.choices, (bytes) => `${expression.text} == "${hexLiteral(bytes)}"`)
}

/** Whether an event passes a filter that runs after the kernel. A field that is null passes only when nothing but negations was asked. */
export function eventPasses(filter: AnyFilter, event: AnyEvent, numberOf: NumberOf): boolean {
  if (filter.by === 'outcome') {
    const failed = filter.fields.some(({ field, range }) => within(numberOf(event, field), range))
    return filter.flag === 'failed' ? failed : !failed
  }
  const matches = (choice: Choice<never>): boolean =>
    matchesChoice(filter, choice.value, event, numberOf)
  const choices = filter.choices as readonly Choice<never>[]
  const wanted = choices.filter((choice) => !choice.negated)
  return (
    !choices.some((choice) => choice.negated && matches(choice)) &&
    (wanted.length === 0 || wanted.some(matches))
  )
}

/** The number that a field stands for in an event: enums by their number, results by their code; null for none. */
export type NumberOf = (event: AnyEvent, field: string) => number | bigint | null

function matchesChoice(
  filter: Filter,
  value: unknown,
  event: AnyEvent,
  numberOf: NumberOf,
): boolean {
  switch (filter.by) {
    case 'number':
      return within(numberOf(event, filter.field), value as Range)
    case 'text':
      return (
        typeof event[filter.field] === 'string' &&
        sameBytes(event, filter.field, value as readonly number[])
      )
    case 'address': {
      const address = event[filter.field]
      return typeof address === 'string' && inBlock(addressBytes(address), value as Block)
    }
    default:
      return filter satisfies never
  }
}

function within(value: number | bigint | null, range: Range): boolean {
  return value !== null && value >= range.min && value <= range.max
}

function sameBytes(event: AnyEvent, field: string, bytes: readonly number[]): boolean {
  const text = String(event[field])
  const shown = event.escaped?.includes(field)
    ? Buffer.from(
        text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        'latin1',
      )
    : Buffer.from(text)
  return shown.equals(Buffer.from(bytes))
}

function inBlock(bytes: readonly number[], block: Block): boolean {
  return bytes.every((byte, index) => {
    const mask = maskByte(block.bits, index)
    return (byte & mask) === ((block.bytes[index] ?? 0) & mask)
  })
}

/** 16 bytes of a printed address; IPv4 as v4-mapped. */
export function addressBytes(address: string): readonly number[] {
  if (!address.includes(':'))
    return [...Array<number>(10).fill(0), 255, 255, ...address.split('.').map(Number)]
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').flatMap(groupBytes))
  const left = groups(head)
  const right = groups(tail)
  return [...left, ...Array<number>(16 - left.length - right.length).fill(0), ...right]
}

function groupBytes(group: string): number[] {
  if (group.includes('.')) return group.split('.').map(Number)
  const value = Number.parseInt(group, 16)
  return [value >> 8, value & 255]
}

function maskByte(bits: number, index: number): number {
  const left = Math.min(8, Math.max(0, bits - index * 8))
  return (0xff << (8 - left)) & 0xff
}

function anyAndNone<T>(choices: readonly Choice<T>[], condition: (value: T) => string): string {
  const of = (negated: boolean) =>
    choices
      .filter((choice) => choice.negated === negated)
      .map((choice) => `(${condition(choice.value)})`)
  const wanted = of(false)
  const refused = of(true)
  return [
    ...(wanted.length > 0 ? [`(${wanted.join(' || ')})`] : []),
    ...refused.map((text) => `!${text}`),
  ].join(' && ')
}

/** What stands for no value matches no range, as in `eventPasses`. */
function rangeCondition(
  { text, nullAs }: Extract<Expression, { as: 'value' }>,
  range: Range,
): string {
  const inRange =
    range.min === range.max
      ? `${text} == ${range.min}`
      : `${text} >= ${range.min} && ${text} <= ${range.max}`
  return typeof nullAs === 'number' && within(nullAs, range)
    ? `${inRange} && ${text} != ${nullAs}`
    : inRange
}

/** Words are read as the machine reads them: the value is compared in the same (little-endian) order. */
function blockCondition(words: readonly string[], block: Block): string {
  const terms = words.flatMap((word, index) => {
    const mask = littleEndian([0, 1, 2, 3].map((byte) => maskByte(block.bits, index * 4 + byte)))
    const value = littleEndian(
      [0, 1, 2, 3].map(
        (byte) => (block.bytes[index * 4 + byte] ?? 0) & maskByte(block.bits, index * 4 + byte),
      ),
    )
    if (mask === 0) return []
    return [mask === 0xffffffff ? `${word} == ${value}` : `(${word} & ${mask}) == ${value}`]
  })
  return terms.length === 0 ? '1 == 1' : terms.join(' && ')
}

function familyCondition(words: readonly string[], range: Range): string {
  const mapped = `${words[0]} == 0 && ${words[1]} == 0 && ${words[2]} == ${littleEndian([0, 0, 255, 255])}`
  return range.min === 4 ? mapped : `!(${mapped})`
}

function noAddress(words: readonly string[]): string {
  return words.map((word) => `${word} == 0`).join(' && ')
}

function littleEndian(bytes: readonly number[]): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0)
}

/** A bpftrace string literal's inside: every byte as \xHH, exact on 0.11 to 0.27. */
function hexLiteral(bytes: readonly number[]): string {
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

function outcomeCondition(
  filter: OutcomeFilter,
  expressionOf: (field: string) => Expression | null,
): string | null {
  const terms: string[] = []
  for (const { field, range } of filter.fields) {
    const expression = expressionOf(field)
    if (expression === null) continue
    if (expression.as !== 'value') return null
    terms.push(`(${rangeCondition(expression, range)})`)
  }
  if (terms.length === 0) return null
  return filter.flag === 'failed' ? `(${terms.join(' || ')})` : `!(${terms.join(' || ')})`
}
