import type { AnyEvent, FieldSpec } from '../schema/define.ts'
import { groupFields, type GroupFigure, isSigned, summaryOfBuckets } from '../schema/summary.ts'
import { type Aggregate, type Bucket, byBounds } from './aggregates.ts'
import { createWallClock } from './clock.ts'
import type { Containers } from './containers.ts'
import type { Clock } from './decoder.ts'
import { type GroupKey, type GroupLayout, type Measure, noText, shownGroup } from './groups.ts'
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

/** Which groups are wanted. */
export interface GroupJudge {
  /** `group`: the values of its keys. */
  isWanted(group: AnyEvent): boolean
  /** So many of this type were counted, and are not wanted. */
  refused(type: string, count: number): void
}

const allWanted: GroupJudge = { isWanted: () => true, refused() {} }

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
  {
    clock,
    containers,
    judge = allWanted,
  }: { readonly clock: Clock; readonly containers: Containers; readonly judge?: GroupJudge },
  histogram: string | null,
  sort: string | null = null,
): GroupRows {
  const wall = createWallClock(clock)
  const addresses = createAddresses()
  const texts = new Map<string, AnyEvent>()
  const readers = new Map<GroupKey, ReadClosed>(
    groups.flatMap(({ keys }) =>
      keys
        .filter((key) => key.as === 'number')
        .map((key) => [key, createClosedReader(key.from.spec, addresses)] as const),
    ),
  )
  /** Announced texts that are shown escaped, and those that were cut. */
  const marked = { escaped: new Set<unknown>(), cut: new Set<unknown>() }
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
        valueOf(each, numbers, index, { texts, addresses, readers, containers }),
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
      const fields = groupFields(shownGroup(group), histogram)
      const wanted = changes(dump, before, group, isWanted).flatMap(([key, aggregate]) => {
        const values = valuesOf(group, key)
        if (judge.isWanted({ event: group.event, ...values })) return [{ values, aggregate }]
        judge.refused(group.event, aggregate.count)
        return []
      })
      return merged(wanted, group)
        .map(({ values, aggregate }) => ({
          type: group.event,
          amount: amountOf(aggregate),
          count: aggregate.count,
          event: {
            event: group.event,
            ...rowOf(fields, {
              ...{ group, values, aggregate },
              ...{ time: wall.show(String(ktime)), ktime, interval: ktime - since },
            }),
            ...marksOf(group, values, marked),
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
      if (event.escaped !== undefined) marked.escaped.add(event['text'])
      if (event.cut !== undefined) marked.cut.add(event['text'])
    },
    rows(dump, ktime, since) {
      const made = rowsOf(dump, ktime, since, (group, key) => !waits(group, key, ktime))
      before = putOut(dump, before, groups, waiting)
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

/**
 * The dump that the next one is compared with: of a group that was not put out it has what was put out before. That waits for its text,
 * or has not been counted anew: its maps are printed one after another, so sums and buckets may already have an event whose count
 * comes with the next dump.
 */
function putOut(
  dump: Dump,
  before: Dump,
  groups: readonly GroupLayout[],
  waiting: ReadonlyMap<string, unknown>,
): Dump {
  return new Map(
    groups.map(({ code }) => {
      const old = before.get(code)
      const shown = [...(dump.get(code) ?? [])].flatMap(([key, now]) => {
        const last = old?.get(key)
        const isPutOut = now.count !== (last?.count ?? 0) && !waiting.has(`${code} ${key}`)
        const kept = isPutOut ? now : last
        return kept === undefined ? [] : [[key, kept] as const]
      })
      return [code, new Map(shown)]
    }),
  )
}

/** Names of the keys whose texts are escaped, and of those that were cut. */
function marksOf(
  { keys }: GroupLayout,
  values: Readonly<Record<string, unknown>>,
  marked: Readonly<Record<'escaped' | 'cut', ReadonlySet<unknown>>>,
): Record<string, unknown> {
  const texts = keys.filter(({ as }) => as === 'text').map(({ name }) => name)
  return Object.fromEntries(
    (['escaped', 'cut'] as const)
      .map((mark) => [mark, texts.filter((name) => marked[mark].has(values[name]))] as const)
      .filter(([, names]) => names.length > 0),
  )
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

/** Two numbers of one text are one group, and so are two cgroups of one container, and what differs in hidden keys alone. */
function merged(all: readonly Row[], { hidden = [] }: GroupLayout): readonly Row[] {
  const rows = new Map<string, Row>()
  for (const { values, aggregate } of all) {
    const name = JSON.stringify(values, (key, value: unknown) =>
      hidden.includes(key) ? undefined : value,
    )
    const other = rows.get(name)
    rows.set(name, {
      values,
      aggregate: other === undefined ? aggregate : sumOf(other.aggregate, aggregate),
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
    readonly containers: Containers
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
  if (key.as === 'family') return number === '0' ? null : Number(number)
  const value = context.readers.get(key)?.(wireText(key.from.spec, number))
  if (value !== null && typeof value === 'object' && 'reason' in value) return null
  if (key.spec.kind !== 'container') return value
  return typeof value === 'string' ? context.containers.nameOf(value) : null
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

/** What the fields of a row are taken from. */
interface RowSource extends Row {
  readonly group: GroupLayout
  readonly time: unknown
  readonly ktime: bigint
  readonly interval: bigint
}

function rowOf(fields: ReturnType<typeof groupFields>, source: RowSource): Record<string, unknown> {
  const { measures } = source.group
  const figures = measures.map((measure, at) => figuresOf(measure, source.aggregate, at))
  return Object.fromEntries(
    fields.map(({ name, figure }) => [name, fieldOf(name, figure, source, figures)]),
  )
}

function fieldOf(
  name: string,
  figure: GroupFigure,
  { values, aggregate, time, ktime, interval }: RowSource,
  figures: readonly Figures[],
): unknown {
  switch (figure.of) {
    case 'time':
      return time
    case 'ktime':
      return String(ktime)
    case 'interval':
      return Number(interval)
    case 'count':
      return aggregate.count
    case 'key':
      return values[name]
    case 'constant':
      return figure.value
    case 'quantile':
      return figures[figure.at]?.quantiles.get(figure.quantile) ?? null
    default:
      return figures[figure.at]?.[figure.of] ?? null
  }
}

/** What a group says of a measure. */
interface Figures {
  readonly sum: string | null
  readonly average: string | number | null
  /** The upper ends of the buckets that they lie in. */
  readonly quantiles: ReadonlyMap<string, string | number | null>
  readonly buckets: readonly Bucket[]
}

function figuresOf(measure: Measure, aggregate: Aggregate, at: number): Figures {
  const { spec } = measure
  const buckets = aggregate.histograms.get(at) ?? []
  const found = aggregate.sums.get(at)
  // What can be null is counted by its histogram alone.
  const count =
    found === undefined
      ? 0
      : spec.nullAs === undefined
        ? aggregate.count
        : buckets.reduce((all, bucket) => all + bucket.count, 0)
  const shown = (value: bigint): string | number =>
    spec.kind === 'duration' ? Number(value) : String(value)
  // Back-ends print the same 64 bits with and without a sign.
  const sum =
    found === undefined || count === 0
      ? null
      : isSigned(measure)
        ? BigInt.asIntN(64, found)
        : BigInt.asUintN(64, found)
  return {
    sum: sum === null ? null : String(sum),
    average: sum === null ? null : shown(sum / BigInt(count)),
    quantiles: new Map(
      summaryOfBuckets(buckets).map(({ name, lt }) => [
        name,
        lt === null ? null : shown(BigInt(lt)),
      ]),
    ),
    buckets,
  }
}
