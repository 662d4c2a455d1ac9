import type { AnyEvent, ProbeSpec } from '../schema/define.ts'
import type { MapEntry } from '../schema/kinds.ts'
import { cellText } from './cells.ts'
import { bars } from './histogram.ts'
import { displayWidth, safeText } from './safe-text.ts'
import type { Sink, SinkFactory } from './sink.ts'
import { tableSink } from './table.ts'

const usualWidth = 80
/** A type's header comes again when another type stood between, after this many lines. */
const headerEvery = 20

/**
 * What a script prints, for people: its texts as lines, maps with their entries in columns or as bars, and for all else a table for each
 * type of event, with its header where the type changes.
 */
export const scriptSink: SinkFactory = (out, options) => {
  const { probe, fields, utc } = options
  const tables = new Map<string, Sink>()
  let last: string | null = null
  /** Lines since the header of each type. */
  const shownAt = new Map<string, number>()
  let lines = 0

  const tableOf = (type: string): Sink => {
    const found = tables.get(type)
    if (found !== undefined) return found
    const own = ofType(probe, type)
    const known = probe.events[type]?.fields ?? {}
    const shown = fields?.filter((name) => name in known) ?? null
    const table = tableSink(out, {
      ...options,
      probe: own,
      fields: shown === null || shown.length === 0 ? null : shown,
    })
    tables.set(type, table)
    return table
  }

  const event = (event: AnyEvent): void => {
    const entries = event['entries']
    const kinds = probe.events[event.event]?.fields ?? {}
    if (kinds['entries']?.kind === 'entries' && (entries === null || Array.isArray(entries))) {
      const time = cellText(event, { name: 'time', kind: 'time' }, utc)
      const width = Math.min(out.columns() ?? usualWidth, 120)
      const drawn = drawMap(
        `${time} ${String(event['map'])}`,
        entries as readonly MapEntry[] | null,
        width,
      )
      if (drawn.length > 0) out.write(`${drawn.join('\n')}\n`)
      last = null
    } else if (event.event === 'text' && kinds['text']?.kind === 'enum') {
      out.write(
        `${String(event['text']).replace(/\n$/, '').split('\n').map(safeText).join('\n')}\n`,
      )
    } else {
      const table = tableOf(event.event)
      const since = lines - (shownAt.get(event.event) ?? -headerEvery)
      if (last !== event.event && since >= headerEvery) {
        table.begin()
        shownAt.set(event.event, lines)
      }
      last = event.event
      lines += 1
      table.event(event)
    }
  }
  return { takesLines: false, begin: () => {}, event, lines: () => {}, end: () => {} }
}

function ofType(probe: ProbeSpec, type: string): ProbeSpec {
  const spec = probe.events[type]
  return { ...probe, events: spec === undefined ? {} : { [type]: spec } }
}

/** A map with its entries; of one that holds nothing, nothing. */
function drawMap(
  heading: string,
  entries: readonly MapEntry[] | null,
  width: number,
): readonly string[] {
  if (entries === null) return [`${heading}: could not be read`]
  const plain = entries.filter(({ buckets }) => buckets === undefined)
  // A map can hold more entries than a call takes arguments.
  const longest = plain.reduce((most, entry) => Math.max(most, displayWidth(keyText(entry))), 0)
  const keyWidth = Math.min(60, longest)
  return entries.flatMap((entry) => {
    const { key, buckets, count, average, total, value } = entry
    const named = `${heading}${key === null ? '' : `[${keyText(entry)}]`}`
    if (buckets !== undefined) return [named, ...bars(buckets, null, width), '']
    const shown =
      value === undefined
        ? `count ${String(count)}  average ${String(average)}  total ${String(total)}`
        : textOf(value)
    return [
      key === null
        ? `${heading} ${shown}`
        : `${heading} ${padded(keyText(entry), keyWidth)}  ${shown}`,
    ]
  })
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

function keyText({ key }: MapEntry): string {
  return key === null ? '' : key.map(textOf).join(', ')
}

function textOf(value: NonNullable<MapEntry['value']>): string {
  return safeText(typeof value === 'object' ? value.join(' < ') : String(value))
}
