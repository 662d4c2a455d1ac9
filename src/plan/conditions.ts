import { descendsCondition } from './command.ts'
import {
  type AnyFilter,
  type Bits,
  type Block,
  type Choice,
  type Filter,
  maskByte,
  type OutcomeFilter,
  type Range,
  type TaskFilter,
  within,
} from './filters.ts'

/**
 * How the value of a field is written in a program: a number, a text, or where 16 address bytes lie. `nullAs` is the number, or
 * the address `::`, that stands for no value.
 */
export type Expression =
  | ({ readonly as: 'value'; readonly text: string } & NoValue)
  | ({ readonly as: 'words'; readonly words: readonly [string, string, string, string] } & NoValue)
  | { readonly as: 'opaque' }

interface NoValue {
  readonly nullAs?: number | string
  /** When this holds, the owner is not known: the event is passed on, to be counted where it is dropped. */
  readonly unknown?: string
}

/** A filter as it stands in a program. */
export interface Condition {
  readonly condition: string
  readonly passesUnknown: boolean
  /** Where what it refuses can be of an owner that nobody knows: when that is so. */
  readonly unknown: string | null
}

/** What the language of a program writes in its own way. The rest of a condition is the same in bpftrace and in C. */
export interface Spelling {
  number(value: number | bigint): string
  /** Bytes of a name; never a character of the user's, but its number. */
  equalsText(text: string, bytes: readonly number[]): string
  descends(pid: string, token: string, command: number): string
}

const bpftraceSpelling: Spelling = {
  number: String,
  equalsText: (text, bytes) => `${text} == "${hexLiteral(bytes)}"`,
  descends: descendsCondition,
}

/** A condition for the filter, or null when it cannot run in the kernel with these expressions. */
export function kernelCondition(
  filter: AnyFilter,
  expressionOf: (field: string) => Expression | null,
  run: {
    readonly token: string
    readonly commandPid: number | null
    /** Events of unknown owners are sent, to be counted where they are dropped. */
    readonly passUnknown: boolean
  },
  spelling: Spelling = bpftraceSpelling,
): Condition | null {
  if (filter.by === 'outcome') {
    const condition = outcomeCondition(filter, expressionOf, spelling)
    return condition === null ? null : { condition, passesUnknown: false, unknown: null }
  }
  const expression = expressionOf(filter.field)
  if (expression === null || expression.as === 'opaque') return null
  const condition =
    filter.by === 'command'
      ? expression.as === 'value' && run.commandPid !== null
        ? spelling.descends(expression.text, run.token, run.commandPid)
        : null
      : valueCondition(filter, expression, spelling)
  if (condition === null) return null
  const { unknown = null } = expression
  return unknown === null || !run.passUnknown
    ? { condition, passesUnknown: false, unknown }
    : { condition: `(${unknown} || (${condition}))`, passesUnknown: true, unknown: null }
}

/**
 * When an event that is aggregated was refused only because its owner is not known: `--pid '!22'` takes those of nobody. Null where no
 * filter asks for the owner.
 */
export function unownedCondition(conditions: readonly Condition[]): string | null {
  const asked = conditions.filter(({ unknown }) => unknown !== null)
  const others = conditions.filter(({ unknown }) => unknown === null)
  const [first] = asked
  if (first === undefined) return null
  const all = (some: readonly Condition[]) => some.map(({ condition }) => `(${condition})`)
  return [first.unknown, ...all(others), `!(${all(asked).join(' && ')})`].join(' && ')
}

function valueCondition(
  filter: Filter | TaskFilter,
  expression: Exclude<Expression, { as: 'opaque' }>,
  spelling: Spelling,
): string | null {
  // No program can look for one.
  if (filter.by === 'pattern') return null
  if (filter.by === 'address' || expression.as === 'words') {
    if (expression.as !== 'words') return null
    const { words } = expression
    const hasValue = expression.nullAs === undefined ? '' : ` && !(${isNoAddress(words, spelling)})`
    if (filter.by === 'address')
      return anyAndNone(
        filter.choices,
        (block) => blockCondition(words, block, spelling) + hasValue,
      )
    // --family on an address: is it v4-mapped?
    return filter.by === 'number' || filter.by === 'task'
      ? anyAndNone(filter.choices, (range) => familyCondition(words, range, spelling) + hasValue)
      : null
  }
  if (filter.by === 'bits')
    return anyAndNone(filter.choices, (bits) => bitsCondition(expression, bits, spelling))
  return filter.by === 'number' || filter.by === 'task'
    ? anyAndNone(filter.choices, (range) => rangeCondition(expression, range, spelling))
    : anyAndNone(filter.choices, (bytes) => spelling.equalsText(expression.text, bytes))
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
  { text: value, nullAs }: Extract<Expression, { as: 'value' }>,
  range: Range,
  { number }: Spelling,
): string {
  const text = operand(value)
  const inRange =
    range.min === range.max
      ? `${text} == ${number(range.min)}`
      : `${text} >= ${number(range.min)} && ${text} <= ${number(range.max)}`
  return typeof nullAs === 'number' && within(nullAs, range)
    ? `${inRange} && ${text} != ${number(nullAs)}`
    : inRange
}

function bitsCondition(
  { text, nullAs }: Extract<Expression, { as: 'value' }>,
  { mask, value }: Bits,
  { number }: Spelling,
): string {
  const has = `(${operand(text)} & ${number(mask)}) == ${number(value)}`
  return typeof nullAs === 'number' ? `${has} && ${operand(text)} != ${number(nullAs)}` : has
}

/** `==` binds closer than `&`. */
function operand(text: string): string {
  return / [&|^] /.test(text) && !/^\([^()]*\)$/.test(text) ? `(${text})` : text
}

/** Words are read as the machine reads them: the value is compared in the same (little-endian) order. */
function blockCondition(words: readonly string[], block: Block, spelling: Spelling): string {
  const { number } = spelling
  const terms = words.flatMap((word, index) => {
    const mask = littleEndian([0, 1, 2, 3].map((byte) => maskByte(block.bits, index * 4 + byte)))
    const value = littleEndian(
      [0, 1, 2, 3].map(
        (byte) => (block.bytes[index * 4 + byte] ?? 0) & maskByte(block.bits, index * 4 + byte),
      ),
    )
    if (mask === 0) return []
    return [
      mask === 0xffffffff
        ? `${word} == ${number(value)}`
        : `(${word} & ${number(mask)}) == ${number(value)}`,
    ]
  })
  const all = block.withoutMapped ? [...terms, `!(${isMapped(words, spelling)})`] : terms
  return all.length === 0 ? '1 == 1' : all.join(' && ')
}

function familyCondition(words: readonly string[], range: Range, spelling: Spelling): string {
  const mapped = isMapped(words, spelling)
  return range.min === 4 ? mapped : `!(${mapped})`
}

/** An IPv4 address. */
export function isMapped(
  [first, second, third]: readonly string[],
  { number }: Pick<Spelling, 'number'> = bpftraceSpelling,
): string {
  return `${first} == 0 && ${second} == 0 && ${third} == ${number(littleEndian([0, 0, 255, 255]))}`
}

/** Nobody's address: all zeros, also behind the prefix of IPv4. */
export function isNoAddress(
  [first, second, third, fourth]: readonly string[],
  spelling: Pick<Spelling, 'number'> = bpftraceSpelling,
): string {
  const prefix = spelling.number(littleEndian([0, 0, 255, 255]))
  return `${first} == 0 && ${second} == 0 && (${third} == 0 || ${third} == ${prefix}) && ${fourth} == 0`
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
  spelling: Spelling,
): string | null {
  const terms: string[] = []
  for (const { field, range } of filter.fields) {
    const expression = expressionOf(field)
    if (expression === null) continue
    if (expression.as !== 'value') return null
    terms.push(`(${rangeCondition(expression, range, spelling)})`)
  }
  if (terms.length === 0) return null
  return filter.flag === 'failed' ? `(${terms.join(' || ')})` : `!(${terms.join(' || ')})`
}
