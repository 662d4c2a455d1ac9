import type { EventSpec, FieldSpec, ProbeSpec } from './define.ts'

/** What is looked at of a host's tracepoints: the names that a field's values have. */
type Tracepoints = Readonly<
  Record<
    string,
    | readonly { readonly name: string; readonly names?: Readonly<Record<number, string>> }[]
    | null
    | undefined
  >
>

/** The probe with every name that its enums have on this host. Those the kernel does not spell show as `UNKNOWN_<n>`. */
export function withNames<P extends ProbeSpec>(probe: P, tracepoints: Tracepoints): P {
  const fieldOf = (spec: FieldSpec): FieldSpec => {
    const { namesFrom: from, flags } = spec
    if (flags !== undefined) return { ...spec, names: flagNames(flags) }
    if (from === undefined) return spec
    const names = tracepoints[from.tracepoint]?.find((each) => each.name === from.field)?.names
    return { ...spec, names: names ?? {} }
  }
  const eventOf = (event: EventSpec): EventSpec => ({
    ...event,
    fields: mapValues(event.fields, fieldOf),
  })
  return { ...probe, events: mapValues(probe.events, eventOf) }
}

/** Every sum of bits with its name. */
function flagNames(bits: readonly string[]): Readonly<Record<number, string>> {
  const nameOf = (number: number) =>
    bits.filter((_, bit) => (number >> bit) & 1).join('|') || 'NONE'
  return Object.fromEntries(
    Array.from({ length: 2 ** bits.length }, (_, number) => [number, nameOf(number)]),
  )
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, of: (value: A) => B) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]))
}
