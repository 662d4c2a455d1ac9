import { bucketUnits as factors } from './bucket-units.ts'
import { type GroupLayout, mapNames } from './groups.ts'

/** A bucket of a log2 histogram: values from `ge` on, below `lt`. Both are powers of two (or 0), so exact as numbers. */
export interface Bucket {
  readonly ge: number
  readonly lt: number
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
}

/** `[2K, 4K)   7 |@@@ |`; the first buckets are `[0]` and `[1]`, negative numbers `(..., 0)`. */
const bucketLine =
  /^(?:\[(\d+)([KMGTPE]?)(?:, (\d+)([KMGTPE]?)\)|\])|\(\.\.\., 0\))\s+(\d{1,16}) \|[@ ]*\|$/

/** The reader for the maps of these groups. Lines of a map carry the run's token in its name; bucket lines follow one. */
export function createAggregates(token: string, groups: readonly GroupLayout[]): Aggregates {
  const maps = new Map<string, (key: string, value: string) => void>()
  let codes = new Map<string, Map<string, Aggregate>>()
  let buckets: Bucket[] | null = null
  const of = (code: string, key: string): Aggregate => {
    const ofCode = codes.get(code) ?? new Map<string, Aggregate>()
    codes.set(code, ofCode)
    const found = ofCode.get(key) ?? { key, count: 0, sums: new Map(), histograms: new Map() }
    ofCode.set(key, found)
    return found
  }
  for (const { code, measures } of groups) {
    maps.set(mapNames.count(token, code), (key, value) => {
      of(code, key).count = Number(value)
    })
    for (const at of measures.keys()) {
      maps.set(mapNames.sum(token, code, at), (key, value) => {
        of(code, key).sums.set(at, BigInt(value))
      })
      maps.set(mapNames.histogram(token, code, at), (key) => {
        buckets = []
        of(code, key).histograms.set(at, buckets)
      })
    }
  }
  const mapLine = new RegExp(
    `^(@[sah]_${token}_[0-9a-z](?:_\\d{1,2})?)(?:\\[(-?\\d+(?:, ?-?\\d+)*)\\])?: ?(-?\\d{1,20})?$`,
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
      codes = new Map()
      buckets = null
      return taken
    },
  }
}

function readBucket(text: string): Bucket | null {
  const found = bucketLine.exec(text)
  if (found === null) return null
  const [, low, lowUnit = '', high, highUnit = '', count = ''] = found
  if (low === undefined) return { ge: -(2 ** 63), lt: 0, count: Number(count) }
  const ge = Number(low) * (factors[lowUnit] ?? 1)
  const lt = high === undefined ? ge + 1 : Number(high) * (factors[highUnit] ?? 1)
  return { ge, lt, count: Number(count) }
}
