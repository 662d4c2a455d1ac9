import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWallClock } from '../../src/wire/clock.ts'
import { codes, decode, eventsOf, record } from './harness.ts'

/** The time the slow way: all in bigints. */
function timeOf(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`
}

function show(ktime: bigint, offsetNs: bigint): string {
  const clock = createWallClock({ offsetNs })
  clock.sync()
  return clock.show(String(ktime))
}

/** The same through both outputs of the decoder, of a record that the fast way takes. */
function decoded(ktimes: readonly bigint[], offsetNs: bigint, mode: 'object' | 'ndjson') {
  const closed = (ktime: bigint) => [
    ktime,
    1,
    2,
    3,
    4,
    5,
    6,
    '::',
    8,
    '10.0.0.1',
    9,
    1,
    0,
    0,
    0,
    0,
    0,
  ]
  const stream = ktimes.map((ktime) =>
    record(codes.kitchen, closed(ktime).map(String), ['', '', '']),
  )
  return eventsOf(decode(stream.join(''), { mode, offsetNs })).map((event) => event.time)
}

const edges = [
  0n,
  1n,
  999_999_999n,
  1_000_000_000n,
  1_999_999_999n,
  2_000_000_000n,
  12_345_678_901_234n,
  9_223_372_036_854_775_807n,
  9_999_999_999_999_999_999n,
  10_000_000_000_000_000_000n,
  18_446_744_073_709_551_615n,
]
const offsets = [0n, 1n, 999_999_999n, 1_790_000_000_123_456_789n, 1_790_000_000_000_000_000n]

test('shows every nanosecond right, across seconds and up to 20 digits', () => {
  for (const offset of offsets) {
    for (const ktime of edges) expect(show(ktime, offset)).toBe(timeOf(ktime + offset))
  }
})

test('shows the same in events and lines', () => {
  for (const offset of offsets) {
    const expected = edges.map((ktime) => timeOf(ktime + offset))
    expect(decoded(edges, offset, 'object')).toEqual(expected)
    expect(decoded(edges, offset, 'ndjson')).toEqual(expected)
  }
})

test('takes an offset that goes back', () => {
  expect(show(5_000_000_000n, -1n)).toBe('1970-01-01T00:00:04.999999999Z')
  expect(show(5_000_000_000n, -4_000_000_001n)).toBe('1970-01-01T00:00:00.999999999Z')
})

test('agrees with bigints for any time', () => {
  const ktime = fc.bigInt(0n, 18_446_744_073_709_551_615n)
  const offset = fc.bigInt(0n, 4_000_000_000_000_000_000n)
  fc.assert(
    fc.property(fc.array(ktime, { maxLength: 5, minLength: 1 }), offset, (ktimes, offsetNs) => {
      const expected = ktimes.map((one) => timeOf(one + offsetNs))
      expect(decoded(ktimes, offsetNs, 'ndjson')).toEqual(expected)
      expect(decoded(ktimes, offsetNs, 'object')).toEqual(expected)
    }),
    { numRuns: 60 },
  )
})

test('takes a new offset only when it is told to look', () => {
  const source = { offsetNs: 0n }
  const clock = createWallClock(source)
  clock.sync()

  source.offsetNs = 60_000_000_000n

  expect(clock.show('0')).toBe('1970-01-01T00:00:00.000000000Z')
  clock.sync()
  expect(clock.show('0')).toBe('1970-01-01T00:01:00.000000000Z')
})
