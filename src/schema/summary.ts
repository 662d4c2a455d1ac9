import type { EventSpec, FieldSpec, ProbeSpec } from './define.ts'
import { common } from './common.ts'

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
    readonly linear?: { readonly step: number }
  }[]
}

/**
 * The definition of what a run with `--summary` or `--hist` puts out: for each event type of the probe one of the same name, whose
 * events are groups of an interval.
 */
export function summaryProbe(
  probe: ProbeSpec,
  shapes: readonly SummaryShape[],
  options: { readonly histogram: string | null; readonly repeats: boolean },
): ProbeSpec {
  const { histogram, repeats } = options
  const events = shapes.map(({ event, keys, measures }): [string, EventSpec] => {
    const groups = keys.map(({ name, spec }) => [name, spec] as const)
    const figures = [
      ...measures.flatMap(figuresOf),
      ...(histogram === null ? [] : [bucketsOf(measures[0])]),
    ]
    return [
      event,
      {
        doc: `a group of ${event} events in one interval`,
        fields: Object.fromEntries([...frame, ...groups, countField, ...figures]),
        table: [
          ...(repeats ? ['time'] : []),
          ...groups.map(([name]) => name),
          'count',
          ...(histogram === null
            ? measures.flatMap(({ name, spec }) => {
                const fields = measureFields(name, spec)
                return spec.kind === 'duration' && probe.aggregate?.totals !== true
                  ? [fields.average, ...quantiles.map((each) => fields.quantile(each.name))]
                  : [fields.sum]
              })
            : ['buckets']),
        ],
      },
    ]
  })
  return { ...probe, events: Object.fromEntries(events) }
}

/** What the column of a field is in the table of a summary; one without a rank is a key. */
export interface Rank {
  /** Where there is no room an `extra` is the first to go, and the `time` of the interval before a key. */
  readonly is: 'figure' | 'key' | 'time' | 'extra'
  /** A heading that is enough where there is no room for the whole one. */
  readonly short?: string
}

export type Ranks = Readonly<Record<string, Rank>>

/** The ranks of the columns of a summary of these events. */
export function summaryRanks(probe: ProbeSpec, shapes: readonly SummaryShape[]): Ranks {
  const keys = new Set(shapes.flatMap((shape) => shape.keys.map(({ name }) => name)))
  const usual = new Set(Object.values(probe.events).flatMap(({ table }) => table))
  const hasUsual = [...keys].some((name) => usual.has(name))
  const measures = shapes.flatMap((shape) => shape.measures)
  const isAlone = new Set(measures.map(({ name }) => name)).size === 1
  return {
    ...Object.fromEntries(
      frame.map(([name]) => [name, { is: name === 'time' ? 'time' : 'extra' }]),
    ),
    ...Object.fromEntries(
      [...keys].map((name) => [name, { is: usual.has(name) || !hasUsual ? 'key' : 'extra' }]),
    ),
    count: { is: 'figure' },
    ...Object.fromEntries(
      measures.flatMap((measure) => {
        const names = measureFields(measure.name, measure.spec)
        const unit = measure.spec.kind === 'duration' && measure.name.endsWith('_ns') ? '_MS' : ''
        const heading = measure.name.replace(/_ns$/, unit).toUpperCase()
        const alone = (name: string, word: string) => [
          name,
          { is: 'figure', ...(isAlone ? { short: `${word.toUpperCase()}${unit}` } : {}) },
        ]
        return [
          [names.sum, { is: 'figure', short: heading }],
          alone(names.average, 'avg'),
          ...quantiles.map(({ name }) => alone(names.quantile(name), name)),
        ]
      }),
    ),
  }
}

const frame: readonly (readonly [string, FieldSpec])[] = [
  ['time', { ...common.time, doc: 'wall-clock time of the end of the interval, UTC' }],
  ['ktime_ns', { ...common.ktime_ns, doc: "the kernel's clock at the end of the interval" }],
  ['interval_ns', { kind: 'duration', unit: 'ns', doc: 'length of the interval' }],
]

const countField: readonly [string, FieldSpec] = [
  'count',
  { kind: 'count', doc: 'events of the group in the interval', width: 9 },
]

function bucketsOf(
  measure: SummaryShape['measures'][number] | undefined,
): readonly [string, FieldSpec] {
  const { spec, linear } = measure ?? {}
  const unit = spec?.unit ?? (spec?.kind === 'duration' ? 'ns' : undefined)
  return [
    'buckets',
    {
      kind: 'buckets',
      doc: 'values from `ge` on and below `lt`, and how many; null: no bound',
      ...(unit === undefined ? {} : { unit }),
      ...(linear === undefined ? {} : { step: linear.step }),
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

function figuresOf({ name, spec, linear }: SummaryShape['measures'][number]) {
  const bound = linear === undefined ? 'this power of two' : 'this bound; null: beyond the last'
  const fields = measureFields(name, spec)
  const unit = spec.unit === undefined ? {} : { unit: spec.unit }
  const kind = spec.kind === 'duration' ? 'duration' : 'u64'
  return [
    [
      fields.sum,
      {
        kind: 'u64',
        doc: `sum of ${name}`,
        nullable: true,
        ...unit,
        ...(kind === 'duration' ? narrow : {}),
      },
    ],
    [fields.average, { kind, doc: `average of ${name}`, nullable: true, ...unit, ...narrow }],
    ...quantiles.map(({ name: quantile, share }) => [
      fields.quantile(quantile),
      {
        kind,
        doc: `${share * 100} % of ${name} were below ${bound}`,
        nullable: true,
        ...unit,
        ...narrow,
      },
    ]),
  ] as readonly (readonly [string, FieldSpec])[]
}

const narrow = { width: 11 } as const
