import type { EventSpec, FieldSpec, ProbeSpec } from './define.ts'
import { common } from './common.ts'
import { kinds } from './kinds.ts'

/** The quantiles that a summary has of each measure. */
export const quantiles = [
  { name: 'p50', share: 0.5 },
  { name: 'p90', share: 0.9 },
  { name: 'p99', share: 0.99 },
] as const

/** Names of what a summary says about a measure: the unit stays at the end. */
export function measureFields(name: string, spec: FieldSpec) {
  const unit = spec.kind === 'duration' && name.endsWith('_ns') ? '_ns' : ''
  const stem = unit === '' ? name : name.slice(0, -unit.length)
  return {
    sum: `${stem}_sum${unit}`,
    average: `${stem}_avg${unit}`,
    quantile: (quantile: string) => `${stem}_${quantile}${unit}`,
  }
}

/** What is aggregated: the fields by event type, as the wire has them. */
export interface SummaryShape {
  readonly event: string
  readonly keys: readonly { readonly name: string; readonly spec: FieldSpec }[]
  readonly measures: readonly {
    readonly name: string
    readonly spec: FieldSpec
    readonly linear?: { readonly min: number; readonly max: number; readonly step: number }
    /** Variants whose groups have nothing of it, with the reasons. */
    readonly absentIn?: Readonly<Record<string, string>>
  }[]
}

type Measured = SummaryShape['measures'][number]

/** What a field of a group says; `at` is the place of its key or measure. */
export type GroupFigure =
  | { readonly of: 'time' | 'ktime' | 'interval' | 'count' }
  | { readonly of: 'key'; readonly at: number }
  | { readonly of: 'sum' | 'average' | 'buckets'; readonly at: number }
  | { readonly of: 'quantile'; readonly at: number; readonly quantile: string }
  /** The same in each group. */
  | { readonly of: 'constant'; readonly value: string | null }

/** A field of a group. */
export interface GroupField {
  readonly name: string
  readonly spec: FieldSpec
  readonly figure: GroupFigure
}

/** The fields of a group, in order: rows are made of them, and so are their schema, columns and types. */
export function groupFields(shape: SummaryShape, histogram: string | null): readonly GroupField[] {
  const { keys, measures } = shape
  const drawn = measures.findIndex(({ name }) => name === histogram)
  const measure = measures[drawn]
  return [
    ...frame,
    ...keys.map(({ name, spec }, at) => ({
      name,
      // Of no owner there is none, and what the program said of one may be lost.
      spec: kinds[spec.kind].travel === 'text' ? ({ ...spec, nullable: true } as const) : spec,
      figure: { of: 'key', at } as const,
    })),
    { name: 'count', spec: countSpec, figure: { of: 'count' } },
    ...measures.flatMap(figuresOf),
    ...(measure === undefined ? [] : bucketFields(measure, drawn)),
  ]
}

/** Its values can be negative: the range says so. All others are numbers of 64 bits without a sign. */
export function isSigned({ spec, linear }: Measured): boolean {
  return spec.kind !== 'duration' && linear !== undefined && linear.min < 0
}

/**
 * The definition of what a run with `--summary` or `--hist` puts out: for each event type of the probe one of the same name, whose
 * events are groups of an interval. What a variant cannot tell is null in no group: it is no key of that variant's, and no measure.
 */
export function summaryProbe(
  probe: ProbeSpec,
  shapes: readonly SummaryShape[],
  options: { readonly histogram: string | null; readonly repeats: boolean },
): ProbeSpec {
  const { histogram, repeats } = options
  const events = shapes.map((shape): [string, EventSpec] => {
    const { event, keys, measures } = shape
    return [
      event,
      {
        doc: `a group of ${event} events in one interval`,
        fields: Object.fromEntries(
          groupFields(shape, histogram).map(({ name, spec }) => [name, spec]),
        ),
        table: [
          ...(repeats ? ['time'] : []),
          ...keys.map(({ name }) => name),
          'count',
          ...(histogram === null
            ? measures.flatMap(({ name, spec }) => {
                const fields = measureFields(name, spec)
                return isTimed(probe, spec)
                  ? [fields.average, ...quantiles.map((each) => fields.quantile(each.name))]
                  : [fields.sum]
              })
            : ['buckets']),
        ],
      },
    ]
  })
  const variants = probe.variants.map((variant) => ({ ...variant, cannotTell: {} }))
  return { ...probe, events: Object.fromEntries(events), variants }
}

/** What the column of a field is in the table of a summary; one without a rank is a key. */
export interface Rank {
  /**
   * Where there is no room an `extra` key is the first to go, then a `minor` figure, the `time` of the interval, a `key`, another
   * `figure`, and last of all a key that was `asked` for.
   */
  readonly is: 'figure' | 'minor' | 'key' | 'asked' | 'time' | 'extra'
  /** A heading that is enough where there is no room for the whole one. */
  readonly short?: string
}

export type Ranks = Readonly<Record<string, Rank>>

/** The ranks of the columns of a summary of these events; `asked`: keys that somebody named. */
export function summaryRanks(
  probe: ProbeSpec,
  shapes: readonly SummaryShape[],
  asked: readonly string[] = [],
): Ranks {
  const keys = new Set(shapes.flatMap((shape) => shape.keys.map(({ name }) => name)))
  const usual = new Set(Object.values(probe.events).flatMap(({ table }) => table))
  const hasUsual = [...keys].some((name) => usual.has(name))
  const measures = shapes.flatMap((shape) => shape.measures)
  const isAlone = new Set(measures.map(({ name }) => name)).size === 1
  // Where one duration alone has quantiles in the table, its name need not stand before each.
  const timed = new Set(measures.filter(({ spec }) => isTimed(probe, spec)).map(({ name }) => name))
  return {
    ...Object.fromEntries(
      frame.map(({ name }) => [name, { is: name === 'time' ? 'time' : 'extra' }]),
    ),
    ...Object.fromEntries(
      [...keys].map((name) => [
        name,
        { is: asked.includes(name) ? 'asked' : usual.has(name) || !hasUsual ? 'key' : 'extra' },
      ]),
    ),
    ...(shapes.length > 1 ? { event: { is: 'asked' } as const } : {}),
    count: { is: 'figure' },
    ...Object.fromEntries(
      measures.flatMap((measure) => {
        const names = measureFields(measure.name, measure.spec)
        const unit = measure.spec.kind === 'duration' && measure.name.endsWith('_ns') ? '_MS' : ''
        const heading = measure.name.replace(/_ns$/, unit).toUpperCase()
        const isShort = isAlone || (timed.size === 1 && timed.has(measure.name))
        const ranked = (name: string, word: string, is: Rank['is']) => [
          name,
          { is, ...(isShort ? { short: `${word.toUpperCase()}${unit}` } : {}) },
        ]
        return [
          [
            names.sum,
            { is: isAlone || isMajor(measure.spec) ? 'figure' : 'minor', short: heading },
          ],
          ranked(names.average, 'avg', 'figure'),
          ...quantiles.map(({ name }) =>
            ranked(names.quantile(name), name, name === 'p99' ? 'figure' : 'minor'),
          ),
        ]
      }),
    ),
  }
}

/** Its average and quantiles say more than its sum. */
function isTimed({ aggregate }: ProbeSpec, { kind }: FieldSpec): boolean {
  return kind === 'duration' && aggregate?.totals !== true
}

/** Its sum says much: times and bytes. */
function isMajor({ kind, unit }: FieldSpec): boolean {
  return kind === 'duration' || unit === 'bytes'
}

const frame: readonly GroupField[] = [
  {
    name: 'time',
    spec: { ...common.time, doc: 'wall-clock time of the end of the interval, UTC' },
    figure: { of: 'time' },
  },
  {
    name: 'ktime_ns',
    spec: { ...common.ktime_ns, doc: "the kernel's clock at the end of the interval" },
    figure: { of: 'ktime' },
  },
  {
    name: 'interval_ns',
    spec: { kind: 'duration', unit: 'ns', doc: 'length of the interval' },
    figure: { of: 'interval' },
  },
]

const countSpec: FieldSpec = {
  kind: 'count',
  doc: 'events of the group in the interval',
  width: 9,
}

/** The histogram, and what it is of. */
function bucketFields({ name, spec, linear }: Measured, at: number): readonly GroupField[] {
  const unit = spec.unit ?? (spec.kind === 'duration' ? 'ns' : null)
  const width =
    linear === undefined
      ? 'powers of two'
      : `each ${linear.step} wide from ${linear.min} to ${linear.max}, and an open one on each side`
  const constant = (field: string, value: string | null, doc: string): GroupField => ({
    name: field,
    spec: { kind: 'constant', always: value, doc },
    figure: { of: 'constant', value },
  })
  return [
    constant('buckets_field', name, 'the field whose values the buckets hold'),
    constant('buckets_unit', unit, 'unit of their bounds; null: a number without one'),
    {
      name: 'buckets',
      spec: {
        kind: 'buckets',
        doc: `how many values of ${name} were from \`ge\` on and below \`lt\`, null: no bound; ${width}; without the empty ones`,
        ...(unit === null ? {} : { unit }),
        ...(linear === undefined ? {} : { step: linear.step }),
      },
      figure: { of: 'buckets', at },
    },
  ]
}

/** The quantiles of a histogram: the bucket that each lies in. */
export function summaryOfBuckets<T extends { readonly count: number }>(
  buckets: readonly T[],
): readonly (T & { readonly name: string })[] {
  const total = buckets.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return []
  return quantiles.flatMap(({ name, share }) => {
    let left = Math.ceil(share * total)
    const bucket = buckets.find(({ count }) => (left -= count) <= 0)
    return bucket === undefined ? [] : [{ ...bucket, name }]
  })
}

function figuresOf(measure: Measured, at: number): readonly GroupField[] {
  const { name, spec, linear, absentIn } = measure
  const bound = linear === undefined ? 'this power of two' : 'this bound; null: beyond the last'
  const fields = measureFields(name, spec)
  const number = isSigned(measure) ? 'i64' : 'u64'
  const kind = spec.kind === 'duration' ? 'duration' : number
  const rest = {
    nullable: true,
    ...(spec.unit === undefined ? {} : { unit: spec.unit }),
    ...(absentIn === undefined || Object.keys(absentIn).length === 0 ? {} : { absentIn }),
  } as const
  return [
    {
      name: fields.sum,
      spec: {
        kind: number,
        doc: `sum of ${name}`,
        ...rest,
        ...(kind === 'duration' ? narrow : {}),
      },
      figure: { of: 'sum', at },
    },
    {
      name: fields.average,
      spec: { kind, doc: `average of ${name}`, ...rest, ...narrow },
      figure: { of: 'average', at },
    },
    ...quantiles.map(({ name: quantile, share }): GroupField => ({
      name: fields.quantile(quantile),
      spec: { kind, doc: `${share * 100} % of ${name} were below ${bound}`, ...rest, ...narrow },
      figure: { of: 'quantile', at, quantile },
    })),
  ]
}

const narrow = { width: 11 } as const
