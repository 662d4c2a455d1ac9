import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { isInParts, kinds, type Travel } from '../schema/kinds.ts'

/*
 * A record on the wire, T being the run's token:
 *
 *   T code (TAB closed-field)* T (TAB text T)* LF
 *
 * After every T stands a character of ours that tells what it ends or begins: a digit begins a record, TAB a
 * text, LF ends the record. No traced process knows T, so after any damage the next `T digit` is a true beginning.
 */

/** Record codes of ours. A mark holds a CPU instead of a time: text of bpftrace's own follows; see regions.ts. */
export const controlCodes = { heartbeat: '8', end: '9', mark: 'z' } as const

/** Record codes of events and parts, in the order in which they are given out. */
const eventCodes = '01234567abcdefghijklmnopqrstuvwxy'

export interface WireField {
  readonly name: string
  readonly spec: FieldSpec
}

/** What a record of one code holds, in order. */
export interface RecordLayout {
  readonly code: string
  /** Event type; parts belong to one as well. */
  readonly event: string
  /** For parts: the field they fill. A part is (key, index, text); the index is -1 - place for an item that could not be read. */
  readonly part?: string
  readonly closed: readonly WireField[]
  readonly texts: readonly WireField[]
  /** Fields that are computed from others when it is decoded. */
  readonly derived: readonly WireField[]
}

/** The layouts of one event without the fields left out: its own, then one for each field that arrives in parts; `first` were given out before. */
export function layoutsOf(
  name: string,
  event: EventSpec,
  leftOut: ReadonlySet<string>,
  first: number,
): readonly RecordLayout[] {
  const fields = Object.entries(event.fields)
    .filter(([field]) => !leftOut.has(field))
    .map(([field, spec]) => ({ name: field, spec }))
  const travelling = (how: Travel) =>
    fields.filter((field) => kinds[field.spec.kind].travel === how)
  const lists = fields.filter((field) => isInParts(field.spec.kind))
  const code = (index: number) => eventCodes[first + index] ?? ''
  return [
    {
      code: code(0),
      event: name,
      closed: [
        ...travelling('closed'),
        ...lists.map((list) => ({ name: list.name, spec: partCount })),
      ],
      texts: travelling('text'),
      derived: travelling('derived'),
    },
    ...lists.map((list, index) => ({
      code: code(index + 1),
      event: name,
      part: list.name,
      closed: [
        { name: 'key', spec: partKey },
        { name: 'index', spec: partCount },
      ],
      texts: [{ name: 'text', spec: { ...list.spec, kind: 'text' as const } }],
      derived: [],
    })),
  ]
}

/** All layouts of a probe's events, without the fields left out. */
export function layoutsOfProbe(
  events: Readonly<Record<string, EventSpec>>,
  leftOut: ReadonlySet<string> = new Set(),
): readonly RecordLayout[] {
  const layouts: RecordLayout[] = []
  for (const [name, event] of Object.entries(events)) {
    layouts.push(...layoutsOf(name, event, leftOut, layouts.length))
  }
  return layouts
}

/** In an event's record: how many parts were sent, -1 when the list could not be read. */
const partCount: FieldSpec = { kind: 'i32', doc: 'number of parts' }
/** Thread id of the emitter: parts and their event are emitted by one program run, so on one CPU and in order. */
const partKey: FieldSpec = { kind: 'u32', doc: 'thread that emitted the part' }
