import { describe, expect, test } from 'vitest'
import { createDecoder } from '../../src/wire/decoder.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { createParts } from '../../src/wire/parts.ts'
import { common } from '../../src/schema/common.ts'
import type { EventSpec } from '../../src/schema/define.ts'
import { codes, decode, eventsOf, events, layouts, listing, record, token } from './harness.ts'

const part = (tid: number, index: number, text: string) => record(codes.part, [tid, index], [text])
/** The event: its thread, what it says of its arguments, and the number of parts that were sent. */
const event = (tid: number, argc: number, count: number) =>
  record(codes.listing, [1, tid, argc, count])
const missing = { fault: 'missing-part', type: 'listing' }

describe('a list that arrives in parts', () => {
  test('is joined by thread, also when threads mix', () => {
    const stream = [
      part(1, 0, 'ls'),
      part(2, 0, 'cat'),
      part(1, 1, '-l'),
      event(2, 1, 1),
      event(1, 2, 2),
    ]

    expect(eventsOf(decode(stream.join('')))).toEqual([
      { event: 'listing', ktime_ns: '1', tid: 2, argc: 1, argv: ['cat'] },
      { event: 'listing', ktime_ns: '1', tid: 1, argc: 2, argv: ['ls', '-l'] },
    ])
  })

  test('is null when it could not be read, and empty when it has no parts', () => {
    const told = decode(event(1, -1, -1) + event(1, 0, 0))

    expect(eventsOf(told).map(({ argc, argv }) => [argc, argv])).toEqual([
      [null, null],
      [0, []],
    ])
  })

  test.each([
    ['a part is missing', [part(1, 0, 'a'), event(1, 2, 2)]],
    ['the first part is missing', [part(1, 1, 'b'), event(1, 2, 2)]],
    ['a part in the middle is missing', [part(1, 0, 'a'), part(1, 2, 'c'), event(1, 3, 3)]],
    ['a part came twice', [part(1, 0, 'a'), part(1, 1, 'b'), part(1, 1, 'b'), event(1, 2, 2)]],
    ['an index is left out', [part(1, 0, 'a'), part(1, 2, 'c'), event(1, 2, 2)]],
    ['there are more parts than were sent', [part(1, 0, 'a'), part(1, 1, 'b'), event(1, 1, 1)]],
    ['the parts are of another thread', [part(2, 0, 'a'), event(1, 1, 1)]],
    ['an earlier event took them', [part(1, 0, 'a'), event(1, 1, 1), event(1, 1, 1)]],
  ])('makes its event a fault when %s', (_name, stream) => {
    const told = decode(stream.join(''))

    expect(told.at(-1)).toEqual(missing)
  })

  test('drops what an earlier event of the thread left behind', () => {
    const stream = [part(1, 0, 'old'), part(1, 1, 'old'), part(1, 0, 'new'), event(1, 1, 1)]

    expect(eventsOf(decode(stream.join('')))[0]?.argv).toEqual(['new'])
  })

  test('has null for an item that could not be read', () => {
    const stream = [part(1, 0, 'ls'), part(1, -2, 'anything'), part(1, 2, 'x'), event(1, 3, 3)]

    expect(eventsOf(decode(stream.join('')))[0]?.argv).toEqual(['ls', null, 'x'])
  })

  test('begins anew when its first item could not be read', () => {
    const stream = [part(1, 0, 'old'), part(1, -1, ''), event(1, 1, 1)]

    expect(eventsOf(decode(stream.join('')))[0]?.argv).toEqual([null])
  })

  test('says which items were cut or escaped, and that the list was', () => {
    const stream = [part(1, 0, 'a\xff'), part(1, 1, '1234567'), event(1, 9, 2)]

    expect(eventsOf(decode(stream.join('')))).toEqual([
      {
        event: 'listing',
        ktime_ns: '1',
        tid: 1,
        argc: 9,
        argv: ['a\\xff', '123456'],
        escaped: ['argv[0]'],
        cut: ['argv[1]', 'argv'],
      },
    ])
  })

  test('was cut where nobody knows how many there were', () => {
    const told = decode(part(1, 0, 'no') + event(1, -1, 1) + event(1, -1, -1))

    expect(eventsOf(told).map(({ argv, cut }) => [argv, cut])).toEqual([
      [['no'], ['argv']],
      [null, undefined],
    ])
  })

  test('has null for an item that arrives empty only where that means unread', () => {
    const unread = { ...listing.fields.argv, emptyIsNull: true } as const
    const spec = { listing: { ...listing, fields: { ...listing.fields, argv: unread } } }
    const told: unknown[] = []
    const decoder = createDecoder({
      token,
      events: spec,
      layouts: layoutsOfProbe(spec),
      clock: { offsetNs: 0n },
      mode: 'object',
      handlers: {
        event: ({ argv }) => told.push(argv),
        lines: () => told.push('lines'),
        heartbeat: () => told.push('heartbeat'),
        end: () => told.push('end'),
        fault: (_type, reason) => told.push(reason),
        other: (line) => told.push(line),
      },
    })

    const partOf = (text: string) => record('1', [1, 0], [text])
    decoder.push(Buffer.from(partOf('') + record('0', [1, 1, 1, 1]), 'latin1'))

    expect(told).toEqual([[null]])
    expect(eventsOf(decode(part(1, 0, '') + event(1, 1, 1)))[0]?.argv).toEqual([''])
  })

  test('with a damaged part is one fault of the event, and one of no type', () => {
    const told = decode(record(codes.part, [1, 'x'], ['a']) + event(1, 1, 1))

    expect(told).toEqual([{ fault: 'number', type: null }, missing])
  })

  test('remembers 4096 threads, and the event of the oldest is a fault', () => {
    const threads = Array.from({ length: 4097 }, (_, tid) => tid)
    const stream = [
      ...threads.map((tid) => part(tid, 0, `${tid}`)),
      ...threads.map((tid) => event(tid, 1, 1)),
    ]
    const told = decode(stream.join(''))

    expect(told[0]).toEqual(missing)
    expect(eventsOf(told)).toHaveLength(4096)
  })

  test('needs the thread id in its event', () => {
    const withoutThread = layouts.map((layout) =>
      layout.code === codes.listing
        ? { ...layout, closed: layout.closed.filter((field) => field.name !== 'tid') }
        : layout,
    )
    const handlers = {
      event: () => {},
      lines: () => {},
      heartbeat: () => {},
      end: () => {},
      fault: () => {},
      other: () => {},
    }
    const options = { token, events, clock: { offsetNs: 0n }, mode: 'object', handlers } as const

    expect(() => createDecoder({ ...options, layouts: withoutThread })).toThrow(/tid/)
    expect(() => createDecoder({ ...options, layouts })).not.toThrow()
  })
})

test('a list of more than 1024 parts is broken, not remembered', () => {
  const parts = createParts()
  const item = { value: '', escaped: false, cut: false }
  for (let index = 0; index < 2000; index++) parts.add(1, index, item)

  expect(parts.take(1, 1024)).toBeNull()
})

const opened = {
  opened: {
    doc: 'a path',
    fields: {
      tid: common.tid,
      path: { kind: 'path', bytes: 6, nullable: true, doc: '' },
      note: { kind: 'text', doc: '' },
    },
    table: [],
  },
} as const satisfies Readonly<Record<string, EventSpec>>

/** The events and lines that a record with these parts becomes; the number of parts is sent with it. */
function openedOf(parts: readonly string[], count: number, leftOut = new Set<string>()) {
  const told: unknown[] = []
  for (const mode of ['object', 'ndjson'] as const) {
    const decoder = createDecoder({
      token,
      events: opened,
      layouts: layoutsOfProbe(opened, leftOut),
      clock: { offsetNs: 0n },
      mode,
      handlers: {
        event: (event) => told.push(event),
        lines: (lines) => told.push(JSON.parse(lines.toString('utf8'))),
        heartbeat: () => told.push('heartbeat'),
        end: () => told.push('end'),
        fault: (_type, reason) => told.push(reason),
        other: (line) => told.push(line),
      },
    })
    const sent = parts.map((text, index) => record('1', [1, index], [text]))
    const own = record('0', leftOut.has('path') ? [1] : [1, count], [''])
    decoder.push(Buffer.from([...sent, own].join(''), 'latin1'))
    decoder.end()
  }
  return told
}

describe('a path that arrives in parts', () => {
  test.each([
    ['is what was given where that begins at the root', ['/etc/x'], { path: '/etc/x' }],
    ['has the directories in front', ['x', 'b', 'a'], { path: '/a/b/x' }],
    ['begins at the root where that is the directory', ['x'], { path: '/x' }],
    ['keeps what was given as it is', ['./../x', 'a'], { path: '/a/./../x' }],
    ['is cut where one of its names was', ['x', '1234567'], { path: '/123456/x', cut: ['path'] }],
    [
      'escapes the backslashes of all names where one is no UTF-8',
      ['a\xff', 'b\\'],
      { path: String.raw`/b\x5c/a\xff`, escaped: ['path'] },
    ],
    ['keeps a backslash where all are', ['a', 'b\\'], { path: '/b\\/a' }],
  ])('%s', (_name, parts, expected) => {
    const event = { event: 'opened', tid: 1, note: '', ...expected }

    expect(openedOf(parts, parts.length)).toEqual([event, event])
  })

  test('is null where it could not be followed to the root', () => {
    const event = { event: 'opened', tid: 1, path: null, note: '' }

    expect(openedOf(['x', 'a'], -1)).toEqual([event, event])
    expect(openedOf([], 1, new Set(['path']))).toEqual([event, event])
  })

  test('makes its event a fault when a part is missing', () => {
    expect(openedOf(['x', 'a'], 3)).toEqual(['missing-part', 'missing-part'])
  })
})
