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
    const { namesFrom: from } = spec
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

/** A set of bits as its names, the lowest first; bits without a name stand together as `UNKNOWN_<n>` at the end, none as `NONE`. */
export function flagsText(number: number, flags: readonly string[]): string {
  const bits = BigInt(number)
  const isSet = (bit: number): boolean => ((bits >> BigInt(bit)) & 1n) === 1n
  const known = flags.flatMap((name, bit) => (name !== '' && isSet(bit) ? [{ name, bit }] : []))
  const rest = known.reduce((left, { bit }) => left - 2n ** BigInt(bit), bits)
  const names = [...known.map(({ name }) => name), ...(rest === 0n ? [] : [`UNKNOWN_${rest}`])]
  return names.join('|') || 'NONE'
}

/** The number that `flagsText` made a text of; null for a text that is none of its own. */
export function flagsNumber(text: string, flags: readonly string[]): number | null {
  if (text === 'NONE') return 0
  const values = text.split('|').map((name) => {
    const bit = name === '' ? -1 : flags.indexOf(name)
    if (bit >= 0) return 2 ** bit
    const [, digits] = /^UNKNOWN_(\d+)$/.exec(name) ?? []
    return digits === undefined ? Number.NaN : Number(digits)
  })
  const sum = values.reduce((all, value) => all + value, 0)
  return Number.isNaN(sum) ? null : sum
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, of: (value: A) => B) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]))
}
