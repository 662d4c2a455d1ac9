import { bucketUnits as factors } from './bucket-units.ts'
import { type GroupLayout, linearBuckets, type LinearRange, mapNames } from './groups.ts'

/** A bucket of a histogram: values from `ge` on, below `lt`, both exact; null where it is open. */
export interface Bucket {
  readonly ge: number | null
  readonly lt: number | null
  readonly count: number
}

/** One group as the kernel's maps have it: everything since the run began. */
export interface Aggregate {
  /** Numbers of the keys, decimal, as they stand in the map. */
  readonly key: string
  count: number
  readonly sums: Map<number, bigint>
  readonly histograms: Map<number, Bucket[]>
}

/** Reads the printed maps of a run that aggregates in the kernel. */
export interface Aggregates {
  /** Takes a line outside records; false when it is none of ours. */
  line(text: string): boolean
  /** What the dump that just ended says: record code to its groups by key. The next line begins a new dump. */
  take(): ReadonlyMap<string, ReadonlyMap<string, Aggregate>>
  /**
   * Values of the last dump that are in no histogram, since the map of the buckets was full. It is exact when the kernel counts no
   * more; 0 where the maps do not tell, because a group is kept whole or not at all.
   */
  unplaced(): number
}

/** `[2K, 4K)   7 |@@@ |`; the first buckets are `[0]` and `[1]`, negative numbers `(..., 0)`. */
const bucketLine =
  /^(?:\[(\d+)([KMGTPE]?)(?:, (\d+)([KMGTPE]?)\)|\])|\(\.\.\., 0\))\s+(\d{1,16}) \|[@ ]*\|$/

/** The reader for the maps of these groups. Lines of a map carry the run's token in its name; bucket lines follow one. */
export function createAggregates(token: string, groups: readonly GroupLayout[]): Aggregates {
  const maps = new Map<string, (key: string, value: string) => void>()
  let codes = new Map<string, Map<string, Aggregate>>()
  let buckets: Bucket[] | null = null
  let values = new Map<string, number>()
  let unplaced = 0
  const of = (code: string, key: string): Aggregate => {
    const ofCode = codes.get(code) ?? new Map<string, Aggregate>()
    codes.set(code, ofCode)
    const found = ofCode.get(key) ?? { key, count: 0, sums: new Map(), histograms: new Map() }
    ofCode.set(key, found)
    return found
  }
  const addLinear = (code: string, at: number, range: LinearRange, key: string, value: string) => {
    const end = key.lastIndexOf(',')
    const { histograms } = of(code, key.slice(0, Math.max(0, end)))
    const found = histograms.get(at) ?? []
    histograms.set(at, found)
    const bucket = { ...linearBounds(range, Number(key.slice(end + 1))), count: Number(value) }
    // A dump that was broken off is followed by a whole one.
    const place = found.findIndex(({ ge }) => ge === bucket.ge)
    if (place === -1) found.push(bucket)
    else found[place] = bucket
  }
  for (const { code, measures } of groups) {
    maps.set(mapNames.count(token, code), (key, value) => {
      of(code, key).count = Number(value)
    })
    for (const [at, { linear }] of measures.entries()) {
      maps.set(mapNames.sum(token, code, at), (key, value) => {
        of(code, key).sums.set(at, BigInt(value))
      })
      maps.set(mapNames.values(token, code, at), (_, value) => {
        values.set(`${code} ${at}`, Number(value))
      })
      maps.set(mapNames.histogram(token, code, at), (key, value) => {
        if (linear !== undefined) return addLinear(code, at, linear, key, value)
        buckets = []
        of(code, key).histograms.set(at, buckets)
      })
    }
  }
  const mapLine = new RegExp(
    `^(@[sahv]_${token}_[0-9a-z](?:_\\d{1,2})?)(?:\\[(-?\\d+(?:, ?-?\\d+)*)\\])?: ?(-?\\d{1,20})?$`,
  )

  return {
    line(text) {
      const [, map = '', key = '', value] = mapLine.exec(text) ?? []
      const take = maps.get(map)
      if (take !== undefined) {
        buckets = null
        take(key.replaceAll(' ', ''), value ?? '0')
        return true
      }
      const bucket = buckets === null ? null : readBucket(text)
      if (bucket === null) return false
      buckets?.push(bucket)
      return true
    },
    take() {
      const taken = codes
      for (const { histograms } of [...codes.values()].flatMap((each) => [...each.values()]))
        for (const each of histograms.values()) each.sort(byBounds)
      unplaced = [...values].reduce((sum, [name, count]) => {
        const [code = '', at = ''] = name.split(' ')
        return sum + count - placed(taken.get(code), Number(at))
      }, 0)
      codes = new Map()
      values = new Map()
      buckets = null
      return taken
    },
    unplaced: () => unplaced,
  }
}

/** From the least on: linear ones come in the order of a map. */
export function byBounds({ ge: one }: Bucket, { ge: other }: Bucket): number {
  return (one ?? -Infinity) - (other ?? -Infinity)
}

/** Values of a measure that are in a bucket of some group. */
function placed(groups: ReadonlyMap<string, Aggregate> | undefined, measure: number): number {
  return [...(groups?.values() ?? [])]
    .flatMap(({ histograms }) => histograms.get(measure) ?? [])
    .reduce((sum, { count }) => sum + count, 0)
}

function linearBounds(range: LinearRange, at: number): Omit<Bucket, 'count'> {
  const { min, max, step } = range
  if (at === 0) return { ge: null, lt: min }
  return at > linearBuckets(range)
    ? { ge: max, lt: null }
    : { ge: min + (at - 1) * step, lt: min + at * step }
}

function readBucket(text: string): Bucket | null {
  const found = bucketLine.exec(text)
  if (found === null) return null
  const [, low, lowUnit = '', high, highUnit = '', count = ''] = found
  if (low === undefined) return { ge: null, lt: 0, count: Number(count) }
  const ge = Number(low) * (factors[lowUnit] ?? 1)
  const lt = high === undefined ? ge + 1 : Number(high) * (factors[highUnit] ?? 1)
  return { ge, lt, count: Number(count) }
}
