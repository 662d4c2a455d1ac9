import type { AnyEvent, EventSpec } from '../schema/define.ts'
import { readMapDump } from './map-dump.ts'
import { mapName, mapPrefix, withOwnNames } from './map-names.ts'
import { readText } from './texts.ts'

/*
 * What bpftrace prints by itself (join, cat, print) travels outside of records: a mark says that the program on a CPU is about to ask for
 * it, the text follows, then the event that it belongs to. No process knows the token, so none can end its text.
 */

/** Puts the text that bpftrace printed into the events that own it. */
export interface Regions {
  /** The program on this CPU asks for text. */
  mark(cpu: string): void
  /** Takes a line outside records; false when it is nobody's. */
  line(text: string): boolean
  /** The event with its text; null when its mark never came. Events that own no text are left as they are. */
  take(event: AnyEvent): AnyEvent | null
}

interface Region {
  readonly lines: string[]
  /** Two CPUs were at it at once: whose line is whose is not known. */
  isMixed: boolean
}

export function createRegions(
  token: string,
  events: Readonly<Record<string, EventSpec>>,
): Regions | null {
  const owned = new Map(
    Object.entries(events).flatMap(([type, { fields }]) => {
      const late = Object.entries(fields).find(
        ([, { kind }]) => kind === 'output' || kind === 'entries',
      )
      return late === undefined ? [] : [[type, { name: late[0], field: late[1] }] as const]
    }),
  )
  if (owned.size === 0) return null
  const open = new Map<string, Region>()
  /** bpftrace prints every map once more at its end; ours were asked for. */
  let isAtEnd = false

  return {
    mark(cpu) {
      isAtEnd = false
      open.set(cpu, { lines: [], isMixed: false })
      if (open.size > 1) for (const region of open.values()) region.isMixed = true
    },
    line(text) {
      if (open.size > 0) {
        for (const region of open.values()) region.lines.push(text)
        return true
      }
      if (text.startsWith(mapPrefix(token))) isAtEnd = true
      else if (text.startsWith('@')) isAtEnd = false
      return isAtEnd
    },
    take(event) {
      const late = owned.get(event.event)
      if (late === undefined) return event
      const cpu = String(event['cpu'])
      const region = open.get(cpu)
      open.delete(cpu)
      if (region === undefined) return null
      if (region.isMixed) return { ...event, [late.name]: null }
      if (late.field.kind === 'output') {
        const text = readText(withOwnNames(region.lines.join('\n'), token), {})
        return {
          ...event,
          [late.name]: text.value,
          ...(text.escaped ? { escaped: [...(event.escaped ?? []), late.name] } : {}),
        }
      }
      const map = String(event['map'])
      const entries = readMapDump(
        region.lines,
        mapName(token, map.slice(1)),
        late.field.maps?.[map] ?? { key: [], value: 'any' },
      )
      if (entries === null) return { ...event, [late.name]: null }
      let isEscaped = false
      const shown = withTexts(entries, (latin1) => {
        const { value, escaped } = readText(latin1, {})
        isEscaped ||= escaped
        return value ?? ''
      })
      return { ...event, [late.name]: shown, ...(isEscaped ? { escaped: [late.name] } : {}) }
    },
  }
}

/** A value with each text in it replaced. */
function withTexts(value: unknown, of: (text: string) => string): unknown {
  if (typeof value === 'string') return of(value)
  if (Array.isArray(value)) return value.map((each) => withTexts(each, of))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withTexts(each, of)]),
  )
}
