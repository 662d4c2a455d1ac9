import type { ProbeSpec, VariantSpec } from './define.ts'

/** The probe without the event types that wait for a switch which is off. */
export function withSwitches<P extends ProbeSpec>(probe: P, on: readonly string[]): P {
  const off = offOf(probe, on).flatMap(({ events = [] }) => events)
  if (off.length === 0) return probe
  const events = Object.entries(probe.events).filter(([name]) => !off.includes(name))
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
