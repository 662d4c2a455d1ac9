import { summaryOfBuckets } from '../schema/summary.ts'
import type { AnyEvent, FieldSpec } from '../schema/define.ts'
import { cellText } from './cells.ts'
import { safeText } from './safe-text.ts'
import type { SinkFactory } from './sink.ts'

interface Bucket {
  readonly ge: number
  readonly lt: number
  readonly count: number
}

const usualWidth = 80
const notGroups = new Set(['time', 'ktime_ns', 'interval_ns', 'count', 'buckets'])

/** Histograms drawn as bars, one a group: exact bounds with their unit, the count, and a bar in proportion. */
export const histogramSink: SinkFactory = (out, { probe, utc }) => {
  const draw = (event: AnyEvent): void => {
    const fields = probe.events[event.event]?.fields ?? {}
    const unit = fields['buckets']?.unit ?? null
    const buckets = filled((event['buckets'] ?? []) as readonly Bucket[])
    const width = Math.min(out.columns() ?? usualWidth, 120)
    out.write(
      `${[heading(event, fields, unit, utc), ...bars(buckets, unit, width), ''].join('\n')}\n`,
    )
  }
  return { takesLines: false, begin: () => {}, event: draw, lines: () => {}, end: () => {} }
}

function heading(
  event: AnyEvent,
  fields: Readonly<Record<string, FieldSpec>>,
  unit: string | null,
  utc: boolean,
): string {
  const groups = Object.entries(fields)
    .filter(([name]) => !notGroups.has(name))
    .map(([name, { kind }]) => `${name} ${cellText(event, { name, kind }, utc)}`)
  const buckets = (event['buckets'] ?? []) as readonly Bucket[]
  const quantiles = summaryOfBuckets(buckets).map(
    ({ name, below }) => `${name} < ${boundText(below, unit)}`,
  )
  const time = cellText(event, { name: 'time', kind: 'time' }, utc)
  return [time, ...groups, `${String(event['count'])} events`, ...quantiles].join('  ')
}

/** Buckets as bars, each with its bounds and its count. */
export function bars(
  buckets: readonly Bucket[],
  unit: string | null,
  width: number,
): readonly string[] {
  const labels = buckets.map(({ ge, lt }) => `${boundText(ge, unit)} .. ${boundText(lt, unit)}`)
  const labelWidth = Math.max(0, ...labels.map((label) => label.length))
  const countWidth = Math.max(0, ...buckets.map(({ count }) => String(count).length))
  const room = Math.max(10, width - labelWidth - countWidth - 4)
  const most = Math.max(1, ...buckets.map(({ count }) => count))
  return buckets.map(({ count }, at) => {
    const bar = '\u2588'.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * room)))
    return `${(labels[at] ?? '').padStart(labelWidth)}  ${String(count).padStart(countWidth)} ${bar}`.trimEnd()
  })
}

/** With the empty buckets between the first and the last, so that the shape is true. */
function filled(buckets: readonly Bucket[]): readonly Bucket[] {
  return buckets.flatMap((bucket, at) => {
    const next = buckets[at + 1]
    const gap: Bucket[] = [bucket]
    for (let ge = bucket.lt; next !== undefined && ge < next.ge; ge *= 2)
      gap.push({ ge, lt: Math.max(ge * 2, 2), count: 0 })
    return gap
  })
}

const scales: Readonly<Record<string, readonly (readonly [number, string])[]>> = {
  ns: [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, '\u00b5s'],
    [1, 'ns'],
  ],
  bytes: [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
    [1, 'B'],
  ],
}

/** A bound in the unit that fits it: exact, since bounds are powers of two. */
function boundText(value: number, unit: string | null): string {
  const [factor, name] = (scales[unit ?? ''] ?? []).find(([least]) => value >= least) ?? [
    1,
    unit ?? '',
  ]
  return safeText(`${value / factor}${name === '' ? '' : ` ${name}`}`)
}
