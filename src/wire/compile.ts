import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { isInParts } from '../schema/kinds.ts'
import { flagsText } from '../schema/names.ts'
import { fastDerived } from './fast-derived.ts'
import type { FieldCode } from './fast-field.ts'
import { fastKind } from './fast-kinds.ts'
import { jsonBytes, type FastSupport } from './fast-support.ts'
import { maxLength } from './framing.ts'
import type { RecordLayout, WireField } from './layout.ts'
import { isToken, variable, writePieces } from './snippets.ts'

/**
 * The fast way from a record's bytes to an event, for what nearly all records are: whole, in order, ASCII texts,
 * nothing cut. It refuses anything else, and the careful way (reader.ts) decides: that one is the rule, and both
 * must agree on every record that this one takes. `b` is the input, `words` the same as a view, `text` as latin1;
 * the closed part begins at `at`.
 */
export interface FastRecord {
  /** Adds the record's line to the output, up to `support.out`. Where the record ends, or -1. */
  toLine(b: Uint8Array, words: DataView, at: number, text: string): number
  /** The event, its end in `support.end`; null for the careful way. */
  toEvent(b: Uint8Array, words: DataView, at: number, text: string): unknown
}

/** What a record is compiled from. */
export interface FastDefinition {
  readonly layout: RecordLayout
  readonly spec: EventSpec
  readonly token: string
}

/** Compiles one event's own record; null for events that are joined from parts, and for call stacks. */
export function compileRecord(definition: FastDefinition, support: FastSupport): FastRecord | null {
  const fields = Object.entries(definition.spec.fields)
  const { closed, texts } = definition.layout
  const hasStack = texts.some(({ spec }) => spec.kind === 'stack')
  const isJoined = fields.some(
    ([name, { kind }]) => isInParts(kind) && closed.some((each) => each.name === name),
  )
  if (hasStack || isJoined) return null
  const named = fields.filter(([, field]) => field.kind === 'enum' || field.names !== undefined)
  const nameTables = {
    line: Object.fromEntries(named.map(([name, field]) => [name, jsonNames(field.names)])),
    event: Object.fromEntries(named.map(([name, field]) => [name, { ...field.names }])),
  }
  const flagTables = { line: flagNames(named, jsonBytes), event: flagNames(named, String) }
  const make = new Function('support', 'nameTables', 'flagTables', recordSource(definition))
  // What the source returns is in `recordSource`.
  return make(support, nameTables, flagTables) as FastRecord
}

/** The generated source: a function body that returns a FastRecord. Field names are checked by `variable`. */
function recordSource(definition: FastDefinition): string {
  const { layout, spec } = definition
  const names = Object.keys(spec.fields).map(variable)
  const lineCodes = fieldCodes(definition, 'line')
  const eventCodes = fieldCodes(definition, 'event')
  const line = names.flatMap((name) => [
    { text: `,"${name}":` },
    ...(lineCodes.get(name)?.line ?? []),
  ])
  const members = names.map((name) => `\n      ${name}: ${eventCodes.get(name)?.value},`)
  const event = JSON.stringify(layout.event)
  return `
const { output, view, addressChars, isIPv4, resultName, resultJson } = support
return {
  toLine(b, words, at, text) {
    const names = nameTables.line, flagNames = flagTables.line, textChars = support.plainChars
    let i = at, c = 0${readRecord(definition, lineCodes, '-1')}
    let o = support.out${writePieces([{ text: `{"event":${event}` }, ...line, { text: '}\n' }])}
    support.out = o
    return i
  },
  toEvent(b, words, at, text) {
    const names = nameTables.event, flagNames = flagTables.event, textChars = support.asciiChars
    let i = at, c = 0${readRecord(definition, eventCodes, 'null')}
    support.end = i
    return {
      event: ${event},${members.join('')}
    }
  },
}`
}

/** Reads all fields in wire order, and the tokens and the line end that make the record whole. */
function readRecord(
  { layout, token }: FastDefinition,
  codes: ReadonlyMap<string, FieldCode>,
  refuse: string,
): string {
  const reads = (fields: readonly WireField[]) =>
    fields.map((field) => codes.get(field.name)?.read ?? '').join('')
  return `${reads(layout.closed)}
    if (!(${isToken(token)})) return ${refuse}
    i += ${token.length}${reads(layout.texts)}
    if (b[i++] !== 10 || i - at > ${maxLength - token.length - 1}) return ${refuse}`
}

/** The code of every field of the event, by name. */
function fieldCodes(
  { layout, spec, token }: FastDefinition,
  output: 'line' | 'event',
): ReadonlyMap<string, FieldCode> {
  const refuse = output === 'line' ? '-1' : 'null'
  const travelling = [...layout.closed, ...layout.texts]
  const last = layout.closed.at(-1)
  const codes = new Map<string, FieldCode>()
  for (const field of travelling) {
    const place = { ...field, token, isLast: field === last, output, refuse }
    codes.set(variable(field.name), fastKind(place))
  }
  for (const [name, field] of Object.entries(spec.fields)) {
    if (!codes.has(name)) codes.set(name, fastDerived(field, travelling))
  }
  return codes
}

/** Most sets of bits whose text is kept for each field: a program may ask for any. */
const keptFlags = 1_024

/** For each field that is a set of bits, what makes the text of one that is not in its table yet. */
function flagNames(
  fields: readonly (readonly [string, FieldSpec])[],
  encode: (text: string) => unknown,
): Readonly<Record<string, (table: Record<number, unknown>, number: number) => unknown>> {
  return Object.fromEntries(
    fields.flatMap(([name, { flags }]) => {
      if (flags === undefined) return []
      let kept = 0
      return [
        [
          name,
          (table: Record<number, unknown>, number: number) => {
            const text = encode(flagsText(number, flags))
            if (kept++ < keptFlags) table[number] = text
            return text
          },
        ] as const,
      ]
    }),
  )
}

function jsonNames(names: FieldSpec['names'] = {}): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, jsonBytes(name)]))
}
