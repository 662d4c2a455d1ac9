import type { AnyEvent } from '../schema/define.ts'

/** NDJSON lines -> events, for a sink that would rather have had events. */
export function eventsOfLines(lines: Buffer): readonly AnyEvent[] {
  return lines
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): AnyEvent => JSON.parse(line))
}

/** The event with the named fields only, in that order; its type and the marks of what is shown stay. */
export function pickFields(event: AnyEvent, fields: readonly string[] | null): AnyEvent {
  if (fields === null) return event
  const marks = Object.entries({ escaped: event.escaped, cut: event.cut })
    .map(
      ([mark, names]) =>
        [mark, names?.filter((name) => fields.includes(fieldOf(name))) ?? []] as const,
    )
    .filter(([, names]) => names.length > 0)
  const picked = fields.filter((name) => name in event).map((name) => [name, event[name]] as const)
  return { event: event.event, ...Object.fromEntries(picked), ...Object.fromEntries(marks) }
}

/** The field of a mark: `argv` for `argv[2]`. */
function fieldOf(mark: string): string {
  return mark.replace(/\[\d+\]$/, '')
}
