import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AnyEvent } from '../../src/schema/define.ts'
import { compileRecord } from '../../src/wire/compile.ts'
import { createWallClock } from '../../src/wire/clock.ts'
import { createDecoder } from '../../src/wire/decoder.ts'
import { createFastSupport } from '../../src/wire/fast-support.ts'
import { createInput } from '../../src/wire/input.ts'
import { createLineBatch } from '../../src/wire/line-batch.ts'
import { createReader } from '../../src/wire/reader.ts'
import { createAddresses } from '../../src/wire/values.ts'
import {
  codes,
  events,
  harnessContainers,
  kitchen,
  layoutOf,
  layouts,
  record,
  shortRecord,
  token,
  linesOf,
} from './harness.ts'

const clock = { offsetNs: 1_790_000_000_123_456_789n }

/** Everything that could stand in a field: good, at an edge, and bad. */
const number = fc.oneof(
  fc.integer({ min: -2, max: 70_000 }).map(String),
  fc.bigInt(-5_000_000_000n, 5_000_000_000n).map(String),
  fc.bigInt(0n, 20_000_000_000_000_000_000n).map(String),
  fc.constantFrom(
    '',
    '0',
    '-0',
    '00',
    '01',
    '-',
    '-1',
    '255',
    '256',
    '1.5',
    '4294967295',
    '4294967296',
  ),
)
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom(
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '1.2.3',
    '256.1.1.1',
    'fe80::1%1',
    '1.2.3.04',
    '',
  ),
)
const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 18 }) },
  fc.string({ unit: 'binary', maxLength: 12 }).map((one) => Buffer.from(one).toString('latin1')),
  fc.uint8Array({ maxLength: 18 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
)
const addressFields = new Set(['laddr', 'raddr'])
const own = layouts.filter((layout) => layout.event === 'kitchen')
const kitchenLayout = layoutOf('kitchen')
const closed = fc.tuple(
  ...kitchenLayout.closed.map((field) => (addressFields.has(field.name) ? address : number)),
)
/** Mostly good numbers, so that the fast way takes many records. */
const goodClosed = fc.record({
  ktime: fc.bigInt(0n, 18_446_744_073_709_551_615n).map(String),
  pid: fc.nat(4_000_000).map(String),
  address: fc.oneof(fc.ipV4(), fc.ipV6()),
  state: fc.integer({ min: 0, max: 3 }).map(String),
  ret: fc.integer({ min: -140, max: 5 }).map(String),
})
const fields = fc.oneof(
  closed,
  goodClosed.map(({ ktime, pid, address: ip, state, ret }) => [
    ktime,
    '7',
    pid,
    '-1',
    ktime,
    pid,
    '0',
    ip,
    '0',
    ip,
    '443',
    state,
    ret,
    ret,
    ret,
    pid === '0' ? '0' : BigInt(ktime).toString(16),
  ]),
)
const texts = fc.tuple(text, text, text)

/** The stream in one mode: bytes of lines, or of what JSON makes of the events; faults in their place. */
function output(stream: string, mode: 'object' | 'ndjson'): string {
  let bytes = ''
  const decoder = createDecoder({
    token,
    events,
    layouts,
    clock,
    mode,
    handlers: {
      event(event) {
        bytes += `${Buffer.from(JSON.stringify(event)).toString('latin1')}\n`
      },
      lines(lines) {
        bytes += lines.toString('latin1')
      },
      heartbeat() {},
      end() {},
      fault(type, reason) {
        bytes += `${type} ${reason}\n`
      },
      other(line) {
        bytes += `other ${line}\n`
      },
    },
  })
  decoder.push(Buffer.from(stream, 'latin1'))
  decoder.end()
  return bytes
}

test('lines are byte for byte what JSON.stringify makes of the events', () => {
  const one = fc
    .tuple(fields, texts)
    .map(([values, strings]) => record(codes.kitchen, values, strings))
  const list = fc
    .tuple(fc.array(text, { maxLength: 4 }), fc.nat(5))
    .map(
      ([items, argc]) =>
        items.map((item, index) => record(codes.part, [7, index], [item])).join('') +
        record(codes.listing, [5, 7, argc, items.length]),
    )
  fc.assert(
    fc.property(fc.array(fc.oneof(one, list), { minLength: 1, maxLength: 8 }), (records) => {
      const stream = records.join('')
      expect(output(stream, 'ndjson')).toBe(output(stream, 'object'))
    }),
    { numRuns: 200 },
  )
})

describe('the fast way', () => {
  const wall = createWallClock(clock)
  wall.sync()
  const context = { clock: wall, addresses: createAddresses(), containers: harnessContainers }

  /** A record through both ways, its closed part and texts given. */
  function both(values: readonly string[], strings: readonly string[], ofToken: string) {
    const output = Buffer.alloc(8192)
    const support = createFastSupport({ token: ofToken, output, ...context })
    const fast = compileRecord({ layout: kitchenLayout, spec: kitchen, token: ofToken }, support)
    const careful = createReader(kitchen, own, context)
    const closedText = values.map((value) => `\t${value}`).join('')
    const input = createInput()
    const body = `${closedText}${ofToken}${strings.map((one) => `\t${one}${ofToken}`).join('')}\n`
    input.append(Buffer.from(body, 'latin1'))
    const end = fast?.toLine(input.bytes, input.words, 0, input.text()) ?? -1
    return {
      event: fast?.toEvent(input.bytes, input.words, 0, input.text()) ?? null,
      line: end < 0 ? null : output.toString('utf8', 0, support.out),
      isWhole: end < 0 || end === body.length,
      careful: careful.event(closedText, strings),
    }
  }

  function expectAgreement(result: ReturnType<typeof both>) {
    const json = typeof result.careful === 'string' ? null : `${JSON.stringify(result.careful)}\n`
    if (result.line !== null) expect(result.line).toBe(json)
    if (result.event !== null) expect(`${JSON.stringify(result.event)}\n`).toBe(json)
    expect(result.isWhole).toBe(true)
  }

  test.each([token, 'Kq7ZpX2mWb4', '9876543210abcd', 'f00dfeed', 'zzzzzzzz1'])(
    'says nothing that the careful way does not, under token %s',
    (ofToken) => {
      const withoutToken = texts.filter((strings) => !strings.join('').includes(ofToken))
      fc.assert(
        fc.property(fields, withoutToken, (values, strings) => {
          expectAgreement(both(values, strings, ofToken))
        }),
        { numRuns: 150 },
      )
    },
  )

  test('takes an ordinary record, so that the tests above are not empty', () => {
    const values = [
      '12345678901234',
      '7',
      '1',
      '-1',
      '5',
      '6',
      '0',
      '::',
      '1',
      '10.0.0.1',
      '443',
      '1',
      '-2',
      '-2',
      '-5',
      'ff',
      '2048',
    ]
    const result = both(values, ['curl', '/bin', 'x'], token)

    expect(result.line).toContain('"comm":"curl"')
    expect(result.event).toEqual(result.careful satisfies AnyEvent | string)
    expectAgreement(result)
  })
})

describe('batches', () => {
  function told(stream: string, chunkSize = stream.length) {
    const calls: unknown[] = []
    const decoder = createDecoder({
      token,
      events,
      layouts,
      clock,
      mode: 'ndjson',
      handlers: {
        event: () => calls.push('event'),
        lines: (lines, type, count) => calls.push([type, count, linesOf(lines).length]),
        heartbeat: () => calls.push('heartbeat'),
        end: () => calls.push('end'),
        fault: () => calls.push('fault'),
        other: () => calls.push('other'),
      },
    })
    for (let at = 0; at < stream.length; at += chunkSize) {
      decoder.push(Buffer.from(stream.slice(at, at + chunkSize), 'latin1'))
    }
    decoder.end()
    return calls
  }

  const list = record(codes.listing, [1, 1, 0, 0])

  test('hold all lines of a type that follow each other in a chunk', () => {
    expect(told(shortRecord(1).repeat(3) + list.repeat(2) + shortRecord(1))).toEqual([
      ['short', 3, 3],
      ['listing', 2, 2],
      ['short', 1, 1],
    ])
  })

  test('are handed over before anything else is told', () => {
    const stream = `${shortRecord(1)}line\n${shortRecord(1)}${record('8', [1])}${shortRecord(1)}${record('3', [])}`

    expect(told(stream)).toEqual([
      ['short', 1, 1],
      'other',
      ['short', 1, 1],
      'heartbeat',
      ['short', 1, 1],
      'fault',
    ])
  })

  test('end with their chunk', () => {
    const one = shortRecord(1)

    expect(told(one.repeat(3), one.length)).toEqual([
      ['short', 1, 1],
      ['short', 1, 1],
      ['short', 1, 1],
    ])
  })

  test('of a huge chunk lose no line', () => {
    const counts = told(shortRecord(1, 'a"b').repeat(40_000)).map((call) =>
      Array.isArray(call) ? Number(call[1]) : 0,
    )

    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(40_000)
    expect(counts.length).toBeLessThan(40)
  })

  test('are handed over early when lines are long, and a line longer than all room alone', () => {
    const calls: unknown[] = []
    const batch = createLineBatch((text, type, count) => calls.push([type, count, text.length]))
    const lengths = [10, 400_000, 400_000, 600_000, 10]
    for (const length of lengths) batch.add('ü'.repeat(length / 2), 'short')
    batch.flush()

    expect(calls).toEqual([
      ['short', 2, 400_012],
      ['short', 1, 400_001],
      ['short', 1, 600_001],
      ['short', 1, 11],
    ])
  })
})

test('a new mode holds from the next chunk on', () => {
  const calls: string[] = []
  const decoder = createDecoder({
    token,
    events,
    layouts,
    clock,
    mode: 'ndjson',
    handlers: {
      event: () => calls.push('event'),
      lines() {
        calls.push('lines')
        decoder.setMode('object')
      },
      heartbeat: () => {},
      end: () => {},
      fault: () => {},
      other: () => {},
    },
  })

  decoder.push(Buffer.from(`${shortRecord(1)}x\n${shortRecord(1)}`))
  decoder.push(Buffer.from(shortRecord(1)))

  expect(calls).toEqual(['lines', 'lines', 'event'])
})
