import { EbpfRunError } from '../errors.ts'
import type { AnyEvent, EventSpec, FieldSpec } from '../schema/define.ts'
import type { FaultReason } from './decoder.ts'
import { derive, type DeriveContext, isDerivedFrom } from './derived.ts'
import type { RecordLayout, WireField } from './layout.ts'
import { createListJoin, type ListItems } from './list-join.ts'
import { variable } from './snippets.ts'
import { escapeBackslashes, readStack, readText, type TextValue } from './texts.ts'
import { Bad, createClosedReader, type Addresses } from './values.ts'

/** What an event's reader shares with the other readers of its decoder. */
export interface ReaderContext extends DeriveContext {
  readonly addresses: Addresses
}

/** The careful way from a framed record to an event: any text, every fault. The fast way is in compile.ts. */
export interface EventReader {
  event(closed: string, texts: readonly string[]): AnyEvent | FaultReason
  /** Keeps a part for the event that follows; a fault when it is unreadable (the event will be one as well). */
  part(layout: RecordLayout, closed: string, texts: readonly string[]): FaultReason | null
}

/** A framed record, its closed fields read. */
interface ReadRecord {
  readonly values: readonly unknown[]
  readonly texts: readonly string[]
  readonly lists: ListItems
  readonly escaped: string[]
  readonly cut: string[]
}

type ReadField = (record: ReadRecord) => unknown

/** The careful reader of one event type. Throws BAD_DEFINITION for layouts that do not fit `spec`. */
export function createReader(
  spec: EventSpec,
  layouts: readonly RecordLayout[],
  context: ReaderContext,
): EventReader {
  const own = layouts.find((layout) => layout.part === undefined)
  const parts = layouts.filter((layout) => layout.part !== undefined)
  if (!own) throw misfit('no layout for the event itself')
  const join = createListJoin(own, parts)
  const readOwn = createClosedRecord(own.closed, context.addresses)
  const readPart = createClosedRecord(parts[0]?.closed ?? [], context.addresses)
  const fields = Object.entries(spec.fields).map(([name, field]) =>
    createFieldReader({ name, field, own, context }),
  )
  const build = createBuilder(own.event, Object.keys(spec.fields))

  return {
    event(closed, texts) {
      const values = readOwn(closed)
      if (values instanceof Bad) return values.reason
      const lists = join.take(values)
      if (!lists) return 'missing-part'
      const record: ReadRecord = { values, texts, lists, escaped: [], cut: [] }
      const event = build(fields.map((read) => read(record)))
      if (record.escaped.length > 0) event['escaped'] = record.escaped
      if (record.cut.length > 0) event['cut'] = record.cut
      // The one decode boundary: the fields are those of `spec`, checked by kind above.
      return event as AnyEvent
    },
    part(layout, closed, texts) {
      const values = readPart(closed)
      if (values instanceof Bad) return values.reason
      const text = readText(texts[0] ?? '', layout.texts[0]?.spec ?? {})
      join.add(layout.part ?? '', { thread: Number(values[0]), index: Number(values[1]), text })
      return null
    },
  }
}

function misfit(why: string): EbpfRunError {
  return new EbpfRunError({ code: 'BAD_DEFINITION', message: `a layout does not fit: ${why}` })
}

/** Reads tab-separated closed fields, each with a tab before it. */
function createClosedRecord(
  fields: readonly WireField[],
  addresses: Addresses,
): (closed: string) => readonly unknown[] | Bad {
  const readers = fields.map((field) => createClosedReader(field.spec, addresses))
  return (closed) => {
    const pieces = closed.split('\t')
    if (pieces.length !== readers.length + 1 || pieces[0] !== '') return damaged
    const values: unknown[] = []
    for (const read of readers) {
      const value = read(pieces[values.length + 1] ?? '')
      if (value instanceof Bad) return value
      values.push(value)
    }
    return values
  }
}

const damaged = new Bad('damaged')

/** Values in the order of `names` to an event. Generated, since an object filled by computed names is three times slower. */
function createBuilder(
  event: string,
  names: readonly string[],
): (values: readonly unknown[]) => Record<string, unknown> {
  const members = names.map((name, at) => `${variable(name)}: values[${at}]`)
  const make = new Function(
    'values',
    `return { event: ${JSON.stringify(event)}, ${members.join(', ')} }`,
  )
  return (values) => make(values) as Record<string, unknown>
}

interface FieldPlace {
  readonly name: string
  readonly field: FieldSpec
  readonly own: RecordLayout
  readonly context: ReaderContext
}

/** Where a field's value comes from: its definition, a list, a text, a closed field, another field, or nowhere. */
function createFieldReader({ name, field, own, context }: FieldPlace): ReadField {
  if (field.kind === 'constant') return () => field.always ?? null
  const closedAt = positionOf(own.closed, name)
  const textAt = positionOf(own.texts, name)
  if (field.kind === 'path' && closedAt >= 0) return (record) => showPath(record, name)
  if (field.kind === 'texts' && closedAt >= 0) {
    const argcAt = positionOf(own.closed, 'argc')
    return (record) => showList(record, name, argcAt < 0 ? 0 : record.values[argcAt])
  }
  if (textAt >= 0 && field.kind === 'stack') return ({ texts }) => readStack(texts[textAt] ?? '')
  if (textAt >= 0) {
    return (record) => showText(record, name, readText(record.texts[textAt] ?? '', field))
  }
  if (closedAt >= 0) return ({ values }) => values[closedAt]
  const ofAt = positionOf(own.closed, field.of ?? '')
  const of = own.closed[ofAt]
  if (!of || !isDerivedFrom(field, of.spec)) return () => null
  return ({ values }) => derive(field, values[ofAt], context)
}

function positionOf(fields: readonly WireField[], name: string): number {
  return fields.findIndex((field) => field.name === name)
}

function showText(record: ReadRecord, name: string, text: TextValue): string | null {
  if (text.escaped) record.escaped.push(name)
  if (text.cut) record.cut.push(name)
  return text.value
}

/** A path from its parts: what was given, then the directories that it starts from. Null where one of them could not be read. */
function showPath(record: ReadRecord, name: string): string | null {
  const items = record.lists[name]
  if (!items || items.some(({ value }) => value === null)) return null
  const escaped = items.some((item) => item.escaped)
  const shown = items.map((item) =>
    escaped && !item.escaped ? escapeBackslashes(item.value ?? '') : (item.value ?? ''),
  )
  const path = shown.toReversed().join('/')
  const value = path.startsWith('/') ? path : `/${path}`
  return showText(record, name, { value, escaped, cut: items.some((item) => item.cut) })
}

/** A list's values. It was cut when the process passed more arguments than were sent; null: nobody knows how many. */
function showList(
  record: ReadRecord,
  name: string,
  argc: unknown,
): readonly (string | null)[] | null {
  const items = record.lists[name]
  if (!items) return null
  const shown = items.map((item, at) => showText(record, `${name}[${at}]`, item))
  if (items.length > 0 && (argc === null || Number(argc) > items.length)) record.cut.push(name)
  return shown
}
