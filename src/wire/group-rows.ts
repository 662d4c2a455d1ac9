import type { AnyEvent, FieldSpec } from '../schema/define.ts'
import { measureFields, quantiles, summaryOfBuckets } from '../schema/summary.ts'
import { type Aggregate, type Bucket, byBounds } from './aggregates.ts'
import { createWallClock } from './clock.ts'
import type { Clock } from './decoder.ts'
import { type GroupKey, type GroupLayout, noText } from './groups.ts'
import {
  type Addresses,
  createAddresses,
  createClosedReader,
  nullTexts,
  type ReadClosed,
} from './values.ts'

/** The aggregates of a dump: record code to groups by key. */
export type Dump = ReadonlyMap<string, ReadonlyMap<string, Aggregate>>

/** A group as it is put out. */
export interface GroupRow {
  readonly type: string
  readonly count: number
  readonly event: AnyEvent
}

interface SortedRow extends GroupRow {
  readonly amount: bigint
}

/** Turns dumps into rows: what happened since the dump before. */
export interface GroupRows {
  /** A text was announced under this number. */
  text(key: number, id: string, event: AnyEvent): void
  /**
   * The rows of a dump taken at this time of the kernel's clock; groups that nothing was counted in have none. A group whose text
   * was not announced yet waits for the next dump: the announcement may come through another CPU's buffer.
   */
  rows(dump: Dump, ktime: bigint, since: bigint): readonly GroupRow[]
  /** At the end, when all is read: those that still wait, null where nothing announced a text. */
  rest(): readonly GroupRow[]
}

/** An announcement that is so late was lost. */
const longestWaitNs = 5_000_000_000n

export function createGroupRows(
  groups: readonly GroupLayout[],
  clock: Clock,
  shape: 'summary' | { readonly histogram: string },
  sort: string | null = null,
): GroupRows {
  const wall = createWallClock(clock)
  const addresses = createAddresses()
  const texts = new Map<string, AnyEvent>()
  const readers = new Map<GroupKey, ReadClosed>(
    groups.flatMap(({ keys }) =>
      keys
        .filter((key) => key.as === 'number')
        .map((key) => [key, createClosedReader(key.spec, addresses)] as const),
    ),
  )
  /** Announced texts that are shown escaped. */
  const escaped = new Set<unknown>()
  const isEscaped = (key: GroupKey, value: unknown): boolean =>
    key.as === 'text' && escaped.has(value)
  let before: Dump = new Map()
  let last: { readonly dump: Dump; readonly ktime: bigint; readonly since: bigint } | null = null
  /** Groups that wait, and since which dump, by code and key. */
  const waiting = new Map<string, bigint>()
  const waits = (group: GroupLayout, key: string, ktime: bigint): boolean => {
    const name = `${group.code} ${key}`
    const from = waiting.get(name) ?? ktime
    waiting.delete(name)
    if (isAnnounced(group, key, texts) || ktime - from > longestWaitNs) return false
    waiting.set(name, from)
    return true
  }

  const valuesOf = (group: GroupLayout, key: string): Record<string, unknown> =>
    Object.fromEntries(
      numbersOf(group, key).map(([each, numbers], index) => [
        each.name,
        valueOf(each, numbers, index, { texts, addresses, readers }),
      ]),
    )

  const rowsOf = (
    dump: Dump,
    ktime: bigint,
    since: bigint,
    isWanted: (group: GroupLayout, key: string) => boolean,
  ): readonly GroupRow[] => {
    wall.sync()
    const rows = groups.flatMap((group) => {
      const amountOf = amountIn(group, sort)
      return merged(changes(dump, before, group, isWanted), group, valuesOf)
        .map(({ values, aggregate }) => ({
          type: group.event,
          amount: amountOf(aggregate),
          count: aggregate.count,
          event: {
            event: group.event,
            time: wall.show(String(ktime)),
            ktime_ns: String(ktime),
            interval_ns: Number(ktime - since),
            ...values,
            count: aggregate.count,
            ...sumsOf(group, aggregate),
            ...(shape === 'summary' ? {} : bucketsOf(group, aggregate, shape.histogram)),
            ...escapedOf(group.keys.filter((key) => isEscaped(key, values[key.name]))),
          } as AnyEvent,
        }))
        .sort(largestFirst)
    })
    // What was asked for is one order of all event types; the usual amounts of two types are nothing to compare.
    return sort === null ? rows : rows.sort(largestFirst)
  }

  return {
    text(key, id, event) {
      texts.set(textName(key, id), event)
      if (event.escaped !== undefined) escaped.add(event['text'])
    },
    rows(dump, ktime, since) {
      const made = rowsOf(dump, ktime, since, (group, key) => !waits(group, key, ktime))
      before = withWaiting(dump, before, groups, waiting)
      last = { dump, ktime, since }
      return made
    },
    rest() {
      if (last === null || waiting.size === 0) return []
      waiting.clear()
      return rowsOf(last.dump, last.ktime, last.since, () => true)
    },
  }
}

/** The numbers of each key of a group, as they stand in the map: four words of an address, one of anything else. */
function numbersOf(
  { keys }: GroupLayout,
  key: string,
): readonly (readonly [GroupKey, readonly string[]])[] {
  const numbers = key === '' ? [] : key.split(',')
  let at = 0
  return keys.map((each) => [each, numbers.slice(at, (at += each.as === 'address' ? 4 : 1))])
}

/** Whether all texts of a group's key are known. */
function isAnnounced(
  group: GroupLayout,
  key: string,
  texts: ReadonlyMap<string, AnyEvent>,
): boolean {
  return numbersOf(group, key).every(
    ([{ as }, [number]], index) =>
      as !== 'text' || number === noText || texts.has(textName(index, number)),
  )
}

/** How an announced text is kept: by its key's place and its number. */
const textName = (key: number, number: string | undefined): string => `${key} ${unsigned(number)}`

/** The dump that the next one is compared with: of a group that waits it has what was put out before. */
function withWaiting(
  dump: Dump,
  before: Dump,
  groups: readonly GroupLayout[],
  waiting: ReadonlyMap<string, unknown>,
): Dump {
  if (waiting.size === 0) return dump
  return new Map(
    groups.map(({ code }) => {
      const shown = [...(dump.get(code) ?? [])].flatMap(([key, now]) => {
        const kept = waiting.has(`${code} ${key}`) ? before.get(code)?.get(key) : now
        return kept === undefined ? [] : [[key, kept] as const]
      })
      return [code, new Map(shown)]
    }),
  )
}

function escapedOf(keys: readonly GroupKey[]): Record<string, unknown> {
  return keys.length === 0 ? {} : { escaped: keys.map(({ name }) => name) }
}

interface Row {
  readonly values: Record<string, unknown>
  readonly aggregate: Aggregate
}

/** What was counted since the last dump in each group that is wanted. */
function changes(
  dump: Dump,
  before: Dump,
  group: GroupLayout,
  isWanted: (group: GroupLayout, key: string) => boolean,
): readonly (readonly [key: string, since: Aggregate])[] {
  return [...(dump.get(group.code) ?? [])].flatMap(([key, now]) => {
    const since = difference(now, before.get(group.code)?.get(key))
    return since.count === 0 || !isWanted(group, key) ? [] : [[key, since] as const]
  })
}

/** Two numbers of one text are one group. */
function merged(
  changed: readonly (readonly [key: string, since: Aggregate])[],
  group: GroupLayout,
  valuesOf: (group: GroupLayout, key: string) => Record<string, unknown>,
): readonly Row[] {
  const rows = new Map<string, Row>()
  for (const [key, since] of changed) {
    const values = valuesOf(group, key)
    const name = JSON.stringify(values)
    const other = rows.get(name)
    rows.set(name, {
      values,
      aggregate: other === undefined ? since : sumOf(other.aggregate, since),
    })
  }
  return [...rows.values()]
}

function largestFirst(a: SortedRow, b: SortedRow): number {
  return Number(b.amount - a.amount)
}

/**
 * What groups are ordered by: the sum of this quantity (0 in event types without it), or how many; where none is named, the sum of
 * what is no duration, such as bytes, else how many.
 */
function amountIn(
  { measures }: GroupLayout,
  sort: string | null,
): (aggregate: Aggregate) => bigint {
  const amounts = [...measures.keys()].filter((at) =>
    sort === null ? measures[at]?.spec.kind !== 'duration' : measures[at]?.name === sort,
  )
  if (sort === 'count' || (sort === null && amounts.length === 0))
    return ({ count }) => BigInt(count)
  return ({ sums }) => amounts.reduce((sum, at) => sum + (sums.get(at) ?? 0n), 0n)
}

function difference(now: Aggregate, before: Aggregate | undefined): Aggregate {
  return before === undefined ? now : combine(now, before, -1)
}

function sumOf(one: Aggregate, other: Aggregate): Aggregate {
  return combine(one, other, 1)
}

function combine(one: Aggregate, other: Aggregate, sign: 1 | -1): Aggregate {
  const at = (buckets: readonly Bucket[] | undefined, ge: number | null): number =>
    buckets?.find((bucket) => bucket.ge === ge)?.count ?? 0
  const histograms = new Map(
    [...new Set([...one.histograms.keys(), ...other.histograms.keys()])].map((measure) => {
      const [left, right] = [one.histograms.get(measure), other.histograms.get(measure)]
      const bounds = new Map([...(left ?? []), ...(right ?? [])].map(({ ge, lt }) => [ge, lt]))
      const buckets = [...bounds]
        .map(([ge, lt]) => ({ ge, lt, count: at(left, ge) + sign * at(right, ge) }))
        .filter(({ count }) => count !== 0)
        .sort(byBounds)
      return [measure, buckets] as const
    }),
  )
  const sums = new Map(
    [...new Set([...one.sums.keys(), ...other.sums.keys()])].map((measure) => [
      measure,
      (one.sums.get(measure) ?? 0n) + BigInt(sign) * (other.sums.get(measure) ?? 0n),
    ]),
  )
  return { key: one.key, count: one.count + sign * other.count, sums, histograms }
}

function valueOf(
  key: GroupKey,
  numbers: readonly string[],
  index: number,
  context: {
    readonly texts: ReadonlyMap<string, AnyEvent>
    readonly addresses: Addresses
    readonly readers: ReadonlyMap<GroupKey, ReadClosed>
  },
): unknown {
  if (key.as === 'text') {
    return context.texts.get(textName(index, numbers[0]))?.['text'] ?? null
  }
  if (key.as === 'address') {
    const shown = context.addresses.read(addressText(numbers))
    return shown === null || nullTexts(key.spec).includes(shown) ? null : shown
  }
  const number = numbers[0] ?? ''
  const value = context.readers.get(key)?.(wireText(key.spec, number))
  return value !== null && typeof value === 'object' && 'reason' in value ? null : value
}

/** Maps print 64-bit numbers as signed, those of bpftrace 0.27 what was cast to uint64 as unsigned. */
function unsigned(text = ''): string {
  return text.startsWith('-') ? String(BigInt.asUintN(64, BigInt(text))) : text
}

function signed(text: string): string {
  return text.length < 19 ? text : String(BigInt.asIntN(64, BigInt(text)))
}

/** A number as a record would have it. */
function wireText({ kind }: FieldSpec, printed: string): string {
  if (kind === 'i32' || kind === 'i64' || kind === 'result') return signed(printed)
  const text = unsigned(printed)
  return kind === 'pointer' && text !== '' ? BigInt(text).toString(16) : text
}

/** Four words as the machine read them, little-endian, to an address. */
function addressText(words: readonly string[]): string {
  const bytes = words.flatMap((word) => {
    const value = Number(BigInt.asUintN(32, BigInt(word)))
    return [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24]
  })
  const mapped = bytes.slice(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255'
  if (mapped) return bytes.slice(12).join('.')
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function sumsOf(group: GroupLayout, aggregate: Aggregate): Record<string, unknown> {
  return Object.fromEntries(
    group.measures.flatMap(({ name, spec }, at) => {
      const fields = measureFields(name, spec)
      const buckets = aggregate.histograms.get(at) ?? []
      const sum = aggregate.sums.get(at)
      // What can be null is counted by its histogram alone.
      const count =
        sum === undefined
          ? 0
          : spec.nullAs === undefined
            ? aggregate.count
            : buckets.reduce((all, bucket) => all + bucket.count, 0)
      const shown = (value: bigint | number): unknown =>
        spec.kind === 'duration' ? Number(value) : String(value)
      const quantileBounds = summaryOfBuckets(buckets)
      const shownBound = (bound: number | null | undefined): unknown =>
        bound === undefined || bound === null ? null : shown(BigInt(bound))
      return [
        [fields.sum, sum === undefined || count === 0 ? null : String(sum)],
        [fields.average, sum === undefined || count === 0 ? null : shown(sum / BigInt(count))],
        ...quantiles.map(({ name: quantile }) => [
          fields.quantile(quantile),
          shownBound(quantileBounds.find((each) => each.name === quantile)?.lt),
        ]),
      ]
    }),
  )
}

function bucketsOf(
  group: GroupLayout,
  aggregate: Aggregate,
  field: string,
): Record<string, unknown> {
  const at = group.measures.findIndex(({ name }) => name === field)
  return { buckets: aggregate.histograms.get(at) ?? [] }
}
