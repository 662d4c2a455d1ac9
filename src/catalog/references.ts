import semver from 'semver'
import { needSubjects } from '../schema/definition.ts'
import type { EventSpec, FieldSpec, Need, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'

/** What a JSON Schema cannot see in a definition: names that name nothing. Each begins with its JSON pointer. */
export function wrongReferences(spec: ProbeSpec): readonly string[] {
  const fields = new Set(Object.values(spec.events).flatMap((event) => Object.keys(event.fields)))
  const noField = (place: string, names: readonly string[]) =>
    names.filter((name) => !fields.has(name)).map((name) => `${place}: '${name}' is no field`)
  const noEvent = (place: string, names: readonly string[]) =>
    names
      .filter((name) => !Object.hasOwn(spec.events, name))
      .map((name) => `${place}: '${name}' is no event`)
  const { aggregate, failed = [], params = {}, switches = {}, variants } = spec
  return [
    ...Object.entries(spec.events).flatMap(([name, event]) => ofEvent(`/events/${name}`, event)),
    ...failed.flatMap(({ field }, index) => noField(`/failed/${index}/field`, [field])),
    ...noField('/aggregate/by', aggregate?.by ?? []),
    ...noField(
      '/aggregate/histogram',
      aggregate?.histogram === undefined ? [] : [aggregate.histogram],
    ),
    ...Object.entries(params).flatMap(([name, { default: preset, min, max }]) =>
      preset >= min && preset <= max
        ? []
        : [`/params/${name}/default: ${preset} is not from ${min} to ${max}`],
    ),
    ...Object.entries(switches).flatMap(
      ([name, { events = [], fields: names = [], table = [] }]) => [
        ...noField(`/switches/${name}/table`, table),
        ...noEvent(`/switches/${name}/events`, events),
        ...noField(`/switches/${name}/fields`, names),
      ],
    ),
    ...variants.flatMap((variant, index) => {
      const place = `/variants/${index}`
      const isDouble = variants.findIndex(({ name }) => name === variant.name) < index
      return [
        ...(isDouble ? [`${place}/name: there is a variant '${variant.name}' before it`] : []),
        ...noField(`${place}/cannotTell`, Object.keys(variant.cannotTell)),
        ...noField(`${place}/neverFails`, Object.keys(variant.neverFails ?? {})),
        ...ofVariant(place, variant),
      ]
    }),
  ]
}

function ofEvent(place: string, { fields, table }: EventSpec): readonly string[] {
  const missing = table.flatMap((name, index) =>
    Object.hasOwn(fields, name) ? [] : [`${place}/table/${index}: '${name}' is no field`],
  )
  return [
    ...missing,
    ...Object.entries(fields).flatMap(([name, field]) => {
      const wrong = wrongField(field, fields)
      return wrong === null ? [] : [`${place}/fields/${name}: ${wrong}`]
    }),
  ]
}

function wrongField(
  { kind, of, names, namesFrom, flags, always }: FieldSpec,
  fields: EventSpec['fields'],
): string | null {
  const isComputed =
    kinds[kind].travel === 'derived' && ['time', 'family', 'errno', 'container'].includes(kind)
  if (isComputed && (of === undefined || !Object.hasOwn(fields, of)))
    return `it is derived from '${of ?? ''}', which is no field`
  if (kind === 'constant' && typeof always !== 'string')
    return 'a constant needs the text that it always is'
  if (kind !== 'constant' && always !== undefined) return 'only a constant is always the same'
  if (kind === 'enum' && names === undefined && namesFrom === undefined && flags === undefined)
    return 'an enum needs names'
  return null
}

function ofVariant(place: string, variant: VariantSpec): readonly string[] {
  const { backend, template, needs, options = {}, switches = {} } = variant
  const endings = { bpftrace: '.bt', bcc: '.bcc.c', tracefs: '.json' } as const
  const all: readonly (readonly [string, Need])[] = [
    ...needs.map((need, index) => [`needs/${index}`, need] as const),
    ...Object.entries(options).flatMap(([name, each]) =>
      typeof each === 'boolean' ? [] : [[`options/${name}`, each] as const],
    ),
    ...Object.entries(switches).flatMap(([name, each]) =>
      typeof each === 'string'
        ? []
        : each.map((need, index) => [`switches/${name}/${index}`, need] as const),
    ),
  ]
  return [
    ...(template.endsWith(endings[backend])
      ? []
      : [`${place}/template: a template for ${backend} ends with ${endings[backend]}`]),
    ...all.flatMap(([name, need]) => {
      const wrong = wrongNeed(need)
      return wrong === null ? [] : [`${place}/${name}: ${wrong}`]
    }),
  ]
}

function wrongNeed(need: Need): string | null {
  const subjects = needSubjects.filter((name) => name in need)
  if (subjects.length !== 1)
    return `a need has one of ${needSubjects.join(', ')}; this one has ${subjects.join(' and ') || 'none'}`
  const range =
    'bpftrace' in need
      ? need.bpftrace
      : 'bcc' in need
        ? need.bcc
        : 'linux' in need
          ? need.linux
          : null
  return range === null || semver.validRange(range) !== null
    ? null
    : `${JSON.stringify(range)} is no range of versions: >=0.16.0`
}
