import { describe, expect, test } from 'vitest'
import { common } from '../../src/schema/common.ts'
import type { EventSpec } from '../../src/schema/define.ts'
import { createDecoder } from '../../src/wire/decoder.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { mapName } from '../../src/wire/map-names.ts'
import { createRegions } from '../../src/wire/regions.ts'
import { linesOf, record, short, token } from './harness.ts'

const events = {
  joined: {
    doc: 'what join() printed',
    fields: {
      cpu: common.cpu,
      comm: common.comm,
      argv: { kind: 'output', nullable: true, doc: '' },
    },
    table: [],
  },
  map: {
    doc: 'a map',
    fields: {
      cpu: common.cpu,
      map: { kind: 'enum', names: { 1: '@a', 2: '@' }, doc: '' },
      entries: {
        kind: 'entries',
        nullable: true,
        maps: { '@a': { key: ['text'], value: 'number' } },
        doc: '',
      },
    },
    table: [],
  },
  short,
} as const satisfies Record<string, EventSpec>

/** What a decoder tells of a stream: events, faults with their type, lines. */
function told(chunks: readonly string[], mode: 'object' | 'ndjson' = 'object'): readonly unknown[] {
  const all: unknown[] = []
  const decoder = createDecoder({
    token,
    events,
    layouts: layoutsOfProbe(events),
    clock: { offsetNs: 0n },
    mode,
    handlers: {
      event: (event) => all.push(event),
      lines: (lines) => all.push(...linesOf(lines).map((line) => JSON.parse(line) as unknown)),
      heartbeat: () => all.push('heartbeat'),
      end: () => all.push('end'),
      fault: (type, reason) => all.push(`${String(type)}: ${reason}`),
      other: (line) => all.push(`line: ${line}`),
    },
  })
  for (const chunk of chunks) decoder.push(Buffer.from(chunk, 'latin1'))
  decoder.end()
  return all
}

const mark = (cpu: number) => record('z', [cpu])
const joined = (cpu: number, comm = 'sh') => record('0', [cpu], [comm])
const map = (cpu: number, number = 1) => record('1', [cpu, number])
const other = record('2', [7, 0], ['sh'])
const beat = record('8', [1])
const a = mapName(token, 'a')
const event = (argv: string | null, cpu = 0) => ({ event: 'joined', cpu, comm: 'sh', argv })
const shown = (entries: unknown, cpu = 0) => ({ event: 'map', cpu, map: '@a', entries })
const otherEvent = { event: 'short', pid: 7, ret: 0, comm: 'sh' }

describe.each(['object', 'ndjson'] as const)('text of bpftrace, as %s', (mode) => {
  test.each<[string, readonly string[], readonly unknown[]]>([
    ['stands between the mark and its event', [mark(0), 'ls -l\n', joined(0)], [event('ls -l')]],
    ['has lines', [mark(0), 'a\nb\n', joined(0)], [event('a\nb')]],
    ['is empty', [mark(0), joined(0)], [event('')]],
    ['comes in pieces', [mark(0), 'ls', ' -l', '\n', joined(0)], [event('ls -l')]],
    [
      'is looked for again for each event',
      [mark(0), 'a\n', joined(0), mark(0), 'b\n', joined(0)],
      [event('a'), event('b')],
    ],
    [
      'lets records of other CPUs and our own pass',
      [mark(0), 'a\n', other, beat, 'b\n', joined(0)],
      [otherEvent, 'heartbeat', event('a\nb')],
    ],
    [
      "of two CPUs at once is nobody's",
      [mark(0), mark(1), 'a\n', joined(0), 'b\n', joined(1)],
      [event(null), event(null, 1)],
    ],
    [
      'of the next one is its own again',
      [mark(0), mark(1), joined(0), joined(1), mark(0), 'a\n', joined(0)],
      [event(null), event(null, 1), event('a')],
    ],
    ['whose event is lost goes with it', [mark(0), 'a\n', mark(0), 'b\n', joined(0)], [event('b')]],
    [
      'without its mark makes the event a fault',
      ['a\n', joined(0)],
      ['line: a', 'joined: missing-part'],
    ],
    [
      'of another CPU is not its own',
      [mark(1), 'a\n', joined(0), joined(1)],
      ['joined: missing-part', event('a', 1)],
    ],
    ['is taken once', [mark(0), 'a\n', joined(0), joined(0)], [event('a'), 'joined: missing-part']],
    ['has maps by their own names', [mark(0), `${a}[1]: 5\n`, joined(0)], [event('@a[1]: 5')]],
    [
      'has bytes outside UTF-8 written out',
      [mark(0), 'a\xff\\\xc3\xa9\n', joined(0)],
      [{ ...event('a\\xff\\x5c\u00e9'), escaped: ['argv'] }],
    ],
    [
      'is escaped beside another text',
      [mark(0), '\xff\n', joined(0, '\xfe')],
      [{ ...event('\\xff'), comm: '\\xfe', escaped: ['comm', 'argv'] }],
    ],
    [
      'cannot forge a record',
      [mark(0), '7000000000000000z\t1\n1b70375a7058326e0\t0\n', joined(0)],
      [event('7000000000000000z\t1\n1b70375a7058326e0\t0')],
    ],
  ])('%s', (_what, chunks, expected) => {
    expect(told(chunks, mode)).toEqual(expected)
    // However it is cut.
    const bytes = [...chunks.join('')]
    expect(told(bytes, mode)).toEqual(expected)
  })

  test.each<[string, readonly string[], readonly unknown[]]>([
    [
      'has entries',
      [mark(0), `${a}[x]: 1\n${a}[y]: 2\n`, map(0)],
      [
        shown([
          { key: ['x'], value: 1 },
          { key: ['y'], value: 2 },
        ]),
      ],
    ],
    ['is empty', [mark(0), map(0)], [shown([])]],
    [
      'has a key that pretends to be another',
      [mark(0), `${a}[x]: 1\n@a[y]: 1\n@other[x]: 1]: 2\n`, map(0)],
      [shown([{ key: ['x]: 1\n@a[y]: 1\n@other[x]: 1'], value: 2 }])],
    ],
    ['is in no known form', [mark(0), 'ERROR\n', map(0)], [shown(null)]],
    ['is of another name', [mark(0), `${mapName(token, 'b')}: 1\n`, map(0)], [shown(null)]],
    ['came with another', [mark(0), mark(1), `${a}[x]: 1\n`, map(0)], [shown(null)]],
    [
      'has a key outside UTF-8',
      [mark(0), `${a}[\xff\\]: 1\n${a}[\xc3\xa9]: 2\n`, map(0)],
      [
        {
          ...shown([
            { key: ['\\xff\\x5c'], value: 1 },
            { key: ['\u00e9'], value: 2 },
          ]),
          escaped: ['entries'],
        },
      ],
    ],
    [
      'has no name, and nothing is known of it',
      [mark(0), `${mapName(token, '')}[3]: x\n`, map(0, 2)],
      [{ ...shown([{ key: [3], value: 'x' }]), map: '@' }],
    ],
  ])('a map %s', (_what, chunks, expected) => {
    expect(told(chunks, mode)).toEqual(expected)
  })
})

describe('maps that bpftrace prints at its end', () => {
  test('are swallowed with all their lines, and what comes after them is not', () => {
    const counts = `@n_${token}_0_0: 5`
    const stream = [
      'Attaching 3 probes...\n',
      `${a}[x\ny]: 1\n${a}[\n    f+1\n]: 2\n`,
      `${counts}\nbye\n`,
    ]

    expect(told(stream)).toEqual(['line: Attaching 3 probes...', `line: ${counts}`, 'line: bye'])
  })

  test('do not keep the text of an event', () => {
    expect(told([`${a}: 1\nx\n`, mark(0), 'a\n', joined(0), 'b\n'])).toEqual([
      event('a'),
      'line: b',
    ])
  })
})

test('who owns no text has no regions', () => {
  expect(createRegions(token, { short })).toBeNull()
  expect(createRegions(token, events)).not.toBeNull()
})
