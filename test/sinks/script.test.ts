import { describe, expect, test } from 'vitest'
import { common } from '../../src/schema/common.ts'
import type { AnyEvent, ProbeSpec } from '../../src/schema/define.ts'
import { scriptSink } from '../../src/sinks/script.ts'
import { displayWidth } from '../../src/sinks/safe-text.ts'
import type { SinkOptions } from '../../src/sinks/sink.ts'
import { connects, type Memory, pipe, terminal } from './helpers.ts'

const at = { time: common.time, ktime_ns: common.ktime_ns }

/** What a script makes, with two events of values. */
const probe: ProbeSpec = {
  ...connects,
  name: 'script',
  script: {},
  events: {
    text: {
      doc: '',
      fields: { ...at, text: { kind: 'enum', names: { 1: 'Tracing\n' }, width: 40, doc: '' } },
      table: ['time', 'text'],
    },
    map: {
      doc: '',
      fields: {
        ...at,
        map: { kind: 'enum', names: { 1: '@a' }, doc: '' },
        entries: { kind: 'entries', nullable: true, maps: {}, doc: '' },
      },
      table: ['time', 'map', 'entries'],
    },
    open: {
      doc: '',
      fields: { ...at, pid: common.pid, path: { kind: 'text', doc: '' } },
      table: ['time', 'pid', 'path'],
    },
    close: { doc: '', fields: { ...at, pid: common.pid }, table: ['time', 'pid'] },
  },
}

function shown(
  events: readonly AnyEvent[],
  out: Memory = pipe(),
  options: Partial<SinkOptions> = {},
): string {
  const sink = scriptSink(out, { probe, fields: null, header: true, utc: true, ...options })
  sink.begin()
  events.forEach((event) => sink.event(event))
  sink.end()
  return out.text()
}

const time = '2026-11-21T03:30:00.123456789Z'
const text = (text: string) => ({ event: 'text', time, text })
const map = (entries: unknown) => ({ event: 'map', time, map: '@a', entries })
const open = (pid: number, path = '/x') => ({ event: 'open', time, pid, path })
const close = (pid: number) => ({ event: 'close', time, pid })

describe('a text', () => {
  test.each([
    ['Tracing\n', 'Tracing\n'],
    ['Tracing', 'Tracing\n'],
    ['', '\n'],
    ['a\n\nb\n', 'a\n\nb\n'],
    ['\x1b[2Ja\u202e\n', '\\x1b[2Ja\\u202e\n'],
  ])('%j is its lines, and nothing that acts on a terminal', (said, line) => {
    expect(shown([text(said)])).toBe(line)
  })
})

describe('a map', () => {
  test('has its keys in a column and its values behind them', () => {
    const entries = [
      { key: ['sh', 1], value: 5 },
      { key: ['古池'], value: 7 },
      { key: ['systemd'], value: 'x\n' },
      { key: [['f+1', 'g+2']], value: ['h+3'] },
      { key: ['s'], count: 2, average: 3, total: '18446744073709551615' },
    ]

    expect(shown([map(entries)])).toMatchInlineSnapshot(`
      "03:30:00.123 @a sh, 1      5
      03:30:00.123 @a 古池       7
      03:30:00.123 @a systemd    x\\n
      03:30:00.123 @a f+1 < g+2  h+3
      03:30:00.123 @a s          count 2  average 3  total 18446744073709551615
      "
    `)
  })

  test('without a key is a line, one that holds nothing none', () => {
    expect(shown([map([{ key: null, value: 5 }])])).toBe('03:30:00.123 @a 5\n')
    expect(shown([map([])])).toBe('')
  })

  test('that could not be read says so', () => {
    expect(shown([map(null)])).toBe('03:30:00.123 @a: could not be read\n')
  })

  test('of histograms is bars, each under its key, also without end', () => {
    const buckets = [
      { ge: null, lt: 0, count: 1 },
      { ge: 0, lt: 1, count: 2 },
      { ge: 1, lt: null, count: 0 },
    ]
    const drawn = shown(
      [
        map([
          { key: ['a\n'], buckets },
          { key: null, buckets },
        ]),
      ],
      terminal(60),
    )

    expect(drawn).toMatchInlineSnapshot(`
      "03:30:00.123 @a[a\\n]
        .. 0  1 █████████████████████████
      0 .. 1  2 █████████████████████████████████████████████████
      1 ..    0

      03:30:00.123 @a
        .. 0  1 █████████████████████████
      0 .. 1  2 █████████████████████████████████████████████████
      1 ..    0

      "
    `)
    expect(Math.max(...drawn.split('\n').map(displayWidth))).toBeLessThanOrEqual(60)
  })

  test('shows what a traced process wrote with every control character written out', () => {
    const hostile = 'x\n\x1b[2J\u202e\x9b'
    const drawn = shown([
      map([
        { key: [hostile], value: hostile },
        { key: [hostile], buckets: [] },
      ]),
    ])

    expect(drawn).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(drawn.split('\n')).toHaveLength(4)
  })

  test('may hold as many keys as a map can', () => {
    const entries = Array.from({ length: 150_000 }, (_, index) => ({ key: [index], value: 1 }))

    expect(shown([map(entries)]).split('\n')).toHaveLength(150_001)
  })
})

describe('events with values', () => {
  const headersOf = (written: string) =>
    written.split('\n').filter((line) => line.startsWith('TIME'))

  test('are a table for each type, with the header where it begins', () => {
    expect(shown([open(1), open(2), close(1), text('a\n'), open(3)])).toMatchInlineSnapshot(`
      "TIME(UTC)        PID PATH
      03:30:00.123       1 /x
      03:30:00.123       2 /x
      TIME(UTC)        PID
      03:30:00.123       1
      a
      03:30:00.123       3 /x
      "
    `)
  })

  test('have the header again after 20 lines, when another type stood between', () => {
    const many = Array.from({ length: 30 }, () => open(1))

    expect(headersOf(shown(many))).toHaveLength(1)
    expect(headersOf(shown([open(1), close(1), open(1)]))).toHaveLength(2)
    expect(
      headersOf(shown([open(1), ...Array.from({ length: 20 }, () => close(1)), open(1)])),
    ).toHaveLength(3)
  })

  test('have no header when none is wanted', () => {
    expect(headersOf(shown([open(1), close(1)], pipe(), { header: false }))).toEqual([])
  })

  test('show the fields that were asked for, where they have any of them', () => {
    const written = shown([open(1), close(2)], pipe(), { fields: ['path', 'nope'] })

    expect(written.split('\n').slice(0, 2)).toEqual(['PATH', '/x'])
    expect(written.split('\n')[2]).toMatch(/^TIME.*PID$/)
  })
})
