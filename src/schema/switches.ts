import type { ProbeSpec, VariantSpec } from './define.ts'

/** The probe without the event types that wait for a switch which is off, and with the table of those that are on. */
export function withSwitches<P extends ProbeSpec>(probe: P, on: readonly string[]): P {
  const off = offOf(probe, on).flatMap(({ events = [] }) => events)
  const tables = on.flatMap((name) => probe.switches?.[name]?.table ?? [])
  if (off.length === 0 && tables.length === 0) return probe
  const events = Object.entries(probe.events)
    .filter(([name]) => !off.includes(name))
    .map(([name, event]) => [name, tables.length > 0 ? { ...event, table: tables } : event])
  return { ...probe, events: Object.fromEntries(events) }
}

/** The fields that are not on the wire: those the variant cannot tell, and those of switches which are off. */
export function fieldsLeftOut(
  probe: ProbeSpec,
  variant: VariantSpec,
  on: readonly string[],
): ReadonlySet<string> {
  const off = offOf(probe, on).flatMap(({ fields = [] }) => fields)
  return new Set([...Object.keys(variant.cannotTell), ...off])
}

/** The switches that are on: those given, and each that brings nothing but fields of which one is named, to group or filter by or to show. */
export function switchesAsked(
  { switches = {} }: ProbeSpec,
  given: readonly string[],
  named: readonly string[],
): readonly string[] {
  return Object.entries(switches).flatMap(([name, { events, fields = [] }]) =>
    given.includes(name) || (events === undefined && fields.some((each) => named.includes(each)))
      ? [name]
      : [],
  )
}

function offOf({ switches = {} }: ProbeSpec, on: readonly string[]) {
  return Object.entries(switches).flatMap(([name, each]) => (on.includes(name) ? [] : [each]))
}
