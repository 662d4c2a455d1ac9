import { summaryOfBuckets } from '../schema/summary.ts'
import type { AnyEvent, EventSpec } from '../schema/define.ts'
import { cellText } from './cells.ts'
import { displayWidth, safeText } from './safe-text.ts'
import type { SinkFactory } from './sink.ts'

interface Bucket {
  readonly ge: number | null
  readonly lt: number | null
  readonly count: number
}

const usualWidth = 80
const notGroups = new Set(['time', 'count', 'buckets'])

/** Histograms drawn as bars, one a group: exact bounds with their unit, the count, and a bar in proportion. */
export const histogramSink: SinkFactory = (out, { probe, utc }) => {
  const draw = (event: AnyEvent): void => {
    const { fields = {}, table = [] } = probe.events[event.event] ?? {}
    const { unit = null, step = null } = fields['buckets'] ?? {}
    const buckets = filled((event['buckets'] ?? []) as readonly Bucket[], step)
    const width = Math.min(out.columns() ?? usualWidth, 120)
    const room = out.isTerminal ? (out.columns() ?? usualWidth) : Infinity
    out.write(
      `${[...heading(event, { fields, table }, unit, utc, room), ...bars(buckets, unit, width), ''].join('\n')}\n`,
    )
  }
  return { takesLines: false, begin: () => {}, event: draw, lines: () => {}, end: () => {} }
}

function heading(
  event: AnyEvent,
  { fields, table }: Pick<EventSpec, 'fields' | 'table'>,
  unit: string | null,
  utc: boolean,
  room: number,
): readonly string[] {
  const groups = table
    .filter((name) => !notGroups.has(name))
    .map((name) => `${name} ${cellText(event, { name, kind: fields[name]?.kind ?? 'u64' }, utc)}`)
  const buckets = (event['buckets'] ?? []) as readonly Bucket[]
  const quantiles = summaryOfBuckets(buckets).map(({ name, ge, lt }) =>
    lt === null ? `${name} \u2265 ${boundText(ge ?? 0, unit)}` : `${name} < ${boundText(lt, unit)}`,
  )
  const time = cellText(event, { name: 'time', kind: 'time' }, utc)
  return inLines([time, ...groups, `${String(event['count'])} events`, ...quantiles], room)
}

/** Parts on as many lines as it takes: none is taken apart, and those of further lines are set in. */
function inLines(parts: readonly string[], room: number): readonly string[] {
  const lines: string[] = []
  for (const part of parts) {
    const line = lines.at(-1)
    if (line !== undefined && displayWidth(`${line}  ${part}`) <= room)
      lines[lines.length - 1] = `${line}  ${part}`
    else lines.push(line === undefined ? part : `  ${part}`)
  }
  return lines
}

/** Buckets as bars, each with its bounds and its count. */
export function bars(
  buckets: readonly Bucket[],
  unit: string | null,
  width: number,
): readonly string[] {
  const bound = (value: number | null): string => (value === null ? '' : boundText(value, unit))
  const lows = inWidth(buckets.map(({ ge }) => bound(ge)))
  const highs = inWidth(buckets.map(({ lt }) => bound(lt)))
  const labels = buckets.map((_, at) => `${lows[at]} .. ${highs[at]}`)
  const labelWidth = labels[0]?.length ?? 0
  const countWidth = Math.max(0, ...buckets.map(({ count }) => String(count).length))
  const room = Math.max(10, width - labelWidth - countWidth - 4)
  const most = Math.max(1, ...buckets.map(({ count }) => count))
  return buckets.map(({ count }, at) => {
    const bar = '\u2588'.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * room)))
    return `${labels[at]}  ${String(count).padStart(countWidth)} ${bar}`.trimEnd()
  })
}

/** To the right, as wide as the widest. */
function inWidth(texts: readonly string[]): readonly string[] {
  const width = Math.max(0, ...texts.map((text) => text.length))
  return texts.map((text) => text.padStart(width))
}

/** Empty buckets in a row that are drawn each for itself. */
const mostEmpty = 8

/**
 * With the empty buckets between the first and the last, so that the shape is true: of this width, or powers of two. Where very many
 * are empty one line stands for them.
 */
function filled(buckets: readonly Bucket[], step: number | null): readonly Bucket[] {
  return buckets.flatMap((bucket, at) => {
    const [from, to] = [bucket.lt, buckets[at + 1]?.ge ?? null]
    return from === null || to === null ? [bucket] : [bucket, ...emptyBuckets(from, to, step)]
  })
}

function emptyBuckets(from: number, to: number, step: number | null): readonly Bucket[] {
  const empty: Bucket[] = []
  for (let ge = from; ge < to; ge = empty.at(-1)?.lt ?? to)
    empty.push({ ge, lt: step === null ? Math.max(ge * 2, 2) : ge + step, count: 0 })
  return empty.length > mostEmpty ? [{ ge: from, lt: to, count: 0 }] : empty
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
