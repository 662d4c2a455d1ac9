import { EbpfRunError } from '../errors.ts'
import type { EventSpec, FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import { isDerivedFrom } from './derived.ts'
import type { RecordLayout, WireField } from './layout.ts'

/*
 * Aggregated in the kernel, an event type has these maps, T being the run's token and C its record code:
 *
 *   @s_T_C[key…]     how many
 *   @a_T_C_M[key…]   sum of measure M
 *   @h_T_C_M[key…]   log2 histogram of measure M; a linear one is a plain count, and the last number of its key is the bucket's
 *   @v_T_C_M         values of measure M, in all groups: what its histograms must hold together
 *   @i_T_K           text to number, for a text that is a key
 *
 * Keys are numbers alone, so nothing of a traced process stands in a printed map: an address is four words, and a text is a number
 * that a record announced when it was first seen.
 */

/** A field that events are grouped by. */
export interface GroupKey {
  readonly name: string
  readonly spec: FieldSpec
  /** The field that the program makes the key of: itself, or the one that it is derived from. */
  readonly from: WireField
  /** How: `family` is 4 or 6 for an address, 0 for none. */
  readonly as: 'number' | 'address' | 'text' | 'family'
}

/**
 * Buckets of equal width: `[min, min + step)` and so on below `max`, and one on each side for what lies outside. Whole numbers in
 * the field's unit; `max - min` is a multiple of `step`.
 */
export interface LinearRange {
  readonly min: number
  readonly max: number
  readonly step: number
}

/** How many lie within. The bucket below is number 0, the one above has the number behind the last. */
export function linearBuckets({ min, max, step }: LinearRange): number {
  return (max - min) / step
}

/** A quantity that is added up. */
export interface Measure {
  readonly name: string
  readonly spec: FieldSpec
  /** Its histogram has buckets of equal width; absent: one for each power of two. */
  readonly linear?: LinearRange
}

/** How the events of one type are aggregated. */
export interface GroupLayout {
  readonly code: string
  readonly event: string
  readonly keys: readonly GroupKey[]
  readonly measures: readonly Measure[]
  /** Keys by which user space decides whether a group is wanted, and which are not shown. */
  readonly hidden?: readonly string[]
}

/** A group as it is put out. */
export function shownGroup(group: GroupLayout): GroupLayout {
  const { keys, hidden = [] } = group
  return { ...group, keys: keys.filter(({ name }) => !hidden.includes(name)) }
}

/** The number in the place of a text that there is none of: it is null. */
export const noText = '0'
/** Record codes of an aggregated run, which sends no events: texts, one code a key, and the end of a dump. */
export const textCode = (key: number): string => String(key)
export const dumpCode = '7'
/** As many keys as there are codes. */
const mostKeys = 7

export const mapNames = {
  count: (token: string, code: string) => `@s_${token}_${code}`,
  sum: (token: string, code: string, measure: number) => `@a_${token}_${code}_${measure}`,
  histogram: (token: string, code: string, measure: number) => `@h_${token}_${code}_${measure}`,
  values: (token: string, code: string, measure: number) => `@v_${token}_${code}_${measure}`,
  texts: (token: string, key: number) => `@i_${token}_${key}`,
}

/** Fields that add up: durations, and those that say so. */
export function isMeasure(spec: FieldSpec): boolean {
  return spec.kind === 'duration' || spec.measure === true
}

/**
 * The layouts for a grouping. An event type without one of the fields is not aggregated. Throws BAD_VALUE when a field is in no
 * event type, or cannot be a key.
 */
export function groupLayouts(
  layouts: readonly RecordLayout[],
  by: readonly string[],
): readonly GroupLayout[] {
  if (by.length > mostKeys)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--by: at most ${mostKeys} fields were expected`,
      found: by.join(','),
      remedy: `--by ${by.slice(0, mostKeys).join(',')}`,
    })
  const own = layouts.filter((layout) => layout.part === undefined)
  const lists = new Set(layouts.map(({ part }) => part))
  const keysOf = (layout: RecordLayout) => keyFields(layout).filter(({ name }) => !lists.has(name))
  const known = unique(own.flatMap((layout) => keysOf(layout).map((key) => key.name)))
  for (const name of by) {
    if (known.includes(name)) continue
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--by: events cannot be grouped by '${name}' here`,
      expected: known.join(', '),
      found: name,
      remedy: `--by ${known.slice(0, 2).join(',')}, or others of these; ebpf-run describe PROBE says what they are`,
    })
  }
  return own.flatMap((layout) => {
    const keys = by.flatMap((name) => keysOf(layout).find((key) => key.name === name) ?? [])
    if (keys.length < by.length) return []
    const measures = layout.closed.filter(({ spec }) => isMeasure(spec))
    return [{ code: layout.code, event: layout.event, keys, measures }]
  })
}

/** Kinds of which no two values are the same, and lists. */
const noKeys: ReadonlySet<string> = new Set(['ktime', 'stack'])

/** Fields of a kind that groups can have though it does not travel: few of its values stand for many of its source. */
const derivedKeys: ReadonlySet<string> = new Set(['family', 'container'])

function keyFields({ closed, texts, derived }: RecordLayout): readonly GroupKey[] {
  const own = [...closed, ...texts]
    .filter(({ spec }) => !noKeys.has(spec.kind) && !isMeasure(spec))
    .map((field) => ({ ...field, from: field, as: formOf(field.spec) }))
  return [
    ...own,
    ...derived.flatMap(({ name, spec }): readonly GroupKey[] => {
      const from = closed.find((field) => field.name === spec.of)
      if (from === undefined || !derivedKeys.has(spec.kind) || !isDerivedFrom(spec, from.spec))
        return []
      if (spec.kind !== 'family') return [{ name, spec, from, as: 'number' }]
      const isNullable = from.spec.nullAs !== undefined
      return [{ name, spec: isNullable ? { ...spec, nullable: true } : spec, from, as: 'family' }]
    }),
  ]
}

function formOf({ kind }: FieldSpec): GroupKey['as'] {
  if (kinds[kind].travel === 'text') return 'text'
  return kind === 'address' ? 'address' : 'number'
}

/** What the decoder reads of such a run: announced texts, and the end of each dump. */
export function recordsOfGroups(groups: readonly GroupLayout[]): {
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
} {
  const ktime = { kind: 'ktime', doc: "the kernel's clock" } as const
  const id = { kind: 'u64', doc: 'number of the text' } as const
  const texts = unique(groups.flatMap(({ keys }) => keys.map(({ name }) => name))).flatMap(
    (name) => {
      const keys = groups[0]?.keys ?? []
      const at = keys.findIndex((key) => key.name === name && key.as === 'text')
      const key = keys[at]
      return key === undefined ? [] : [{ at, key }]
    },
  )
  const layouts: RecordLayout[] = [
    {
      code: dumpCode,
      event: 'dump',
      closed: [{ name: 'ktime_ns', spec: ktime }],
      texts: [],
      derived: [],
    },
    ...texts.map(({ at, key }) => ({
      code: textCode(at),
      event: `text${at}`,
      closed: [{ name: 'id', spec: id }],
      texts: [{ name: 'text', spec: key.spec }],
      derived: [],
    })),
  ]
  const events = Object.fromEntries(
    layouts.map(({ event, closed, texts: last }) => [
      event,
      {
        doc: '',
        fields: Object.fromEntries([...closed, ...last].map(({ name, spec }) => [name, spec])),
        table: [],
      },
    ]),
  )
  return { events, layouts }
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}
