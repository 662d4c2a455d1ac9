import { describe, expect, test } from 'vitest'
import {
  codes,
  decode,
  eventsOf,
  piecesOf,
  randomNumbers,
  record,
  restOf,
  shortRecord,
  token,
} from './harness.ts'

const pids = (text: string | readonly string[]) => eventsOf(decode(text)).map((event) => event.pid)

describe('whole streams', () => {
  test('an empty stream tells nothing', () => {
    expect(decode('')).toEqual([])
    expect(decode([])).toEqual([])
    expect(decode(['', '', ''])).toEqual([])
  })

  test('blank lines outside records are dropped', () => {
    expect(decode('\n'.repeat(1000))).toEqual([])
    expect(pids(`\n\n${shortRecord(1)}\n${shortRecord(2)}\n`)).toEqual([1, 2])
  })

  test('lines outside records are told in their order among the events', () => {
    const told = decode(
      `Attaching 3 probes...\n${shortRecord(1)}@x: 5\n\tdeep\r\n${shortRecord(2)}end`,
    )

    expect(told.map((one) => ('event' in one ? one.event.pid : Object.values(one)[0]))).toEqual([
      'Attaching 3 probes...',
      1,
      '@x: 5',
      '\tdeep\r',
      2,
      'end',
    ])
  })

  test('a record after an unfinished line ends that line', () => {
    expect(restOf(decode(`no line end${shortRecord(1)}`))).toEqual([{ other: 'no line end' }])
  })

  test('a map whose name carries the token is a line, also between records', () => {
    const map = `@n_${token}_0_1: 12`
    const told = decode(`${shortRecord(1)}${map}\n@z_${token}: 1\n${shortRecord(2)}`)

    expect(eventsOf(told)).toHaveLength(2)
    expect(restOf(told)).toEqual([{ other: map }, { other: `@z_${token}: 1` }])
  })

  test('heartbeats and the end carry the kernel clock', () => {
    const told = decode(record('8', ['18446744073709551615']) + record('9', [77]))

    expect(told).toEqual([{ heartbeat: '18446744073709551615' }, { end: '77' }])
  })

  test('a heartbeat that holds no time is a fault', () => {
    expect(decode(record('8', ['now']))).toEqual([{ fault: 'number', type: null }])
    expect(decode(record('8', ['1', '2']))).toEqual([{ fault: 'number', type: null }])
  })
})

describe('chunks', () => {
  const stream = `start\n${shortRecord(1, 'a\nb')}@n_${token}_0_0: 1\n${record('8', [5])}${shortRecord(2, '')}tail`

  test('one-byte chunks tell the same as one chunk', () => {
    expect(decode([...stream])).toEqual(decode(stream))
  })

  test('chunks of every size tell the same as one chunk', () => {
    for (let size = 1; size <= stream.length; size++) {
      expect(decode(piecesOf(stream, size))).toEqual(decode(stream))
    }
  })

  test('a thousand one-byte chunks in a row are one record when they make one', () => {
    const text = shortRecord(7)
    const padded = `${'x'.repeat(999 - text.length)}\n${text}`

    expect(padded).toHaveLength(1000)
    expect(pids([...padded])).toEqual([7])
  })

  test('a token split at each of its characters is still one', () => {
    const text = shortRecord(1) + shortRecord(2)
    for (let at = 0; at <= text.length; at++) {
      expect(pids([text.slice(0, at), text.slice(at)])).toEqual([1, 2])
    }
  })

  test('an unfinished record is not finished by what an earlier chunk left in memory', () => {
    const earlier = Array.from({ length: 20 }, (_, at) => shortRecord(100 + at)).join('')
    const expected = Array.from({ length: 20 }, (_, at) => 100 + at)
    for (let at = 130; at < earlier.length; at += 7) {
      expect(pids([earlier, earlier.slice(0, at), earlier.slice(at)])).toEqual([
        ...expected,
        ...expected,
      ])
    }
  })

  test('damage is told the same however the stream is cut into chunks', () => {
    const next = randomNumbers(7)
    const parts = [
      token,
      token.slice(0, 5),
      '\t',
      '\n',
      '3',
      '0',
      '_',
      ':',
      `@n_${token}_0_0: 4\n`,
      shortRecord(1),
      shortRecord(2, 'a\nb'),
      shortRecord(3).slice(0, -1),
      'text',
    ]
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: 8 }, () => parts[next() % parts.length]).join('')
      const whole = decode(text)
      expect(decode([...text]), JSON.stringify(text)).toEqual(whole)
      expect(decode(piecesOf(text, 1 + (next() % 40))), JSON.stringify(text)).toEqual(whole)
    }
  })
})

describe('damage', () => {
  const good = shortRecord(9)

  test('a record cut at any byte is one fault and the next record decodes', () => {
    for (const whole of [
      shortRecord(1, 'a\nb\tc'),
      record(codes.kitchen, ['1', '2'], ['x', 'y', 'z']),
    ]) {
      for (let at = token.length + 2; at < whole.length; at++) {
        const told = decode(whole.slice(0, at) + good)

        expect(eventsOf(told), `cut at ${at}`).toHaveLength(1)
        expect(restOf(told), `cut at ${at}`).toEqual([
          { fault: 'damaged', type: expect.any(String) },
        ])
      }
    }
  })

  test('a record of which only the token or less is left does not hurt the next one', () => {
    const whole = shortRecord(1)
    for (let at = 0; at <= token.length + 1; at++) {
      const told = decode(whole.slice(0, at) + good)

      expect(eventsOf(told)).toHaveLength(1)
      expect(restOf(told).length).toBeLessThanOrEqual(1)
    }
  })

  test('a record that lost its beginning is at most one fault and the next record decodes', () => {
    const whole = shortRecord(1, 'a\nb\tc')
    const lastToken = whole.lastIndexOf(token)
    for (let at = 1; at < whole.length; at++) {
      const told = decode(whole.slice(at) + good)
      const faults = restOf(told).filter((one) => 'fault' in one)

      expect(eventsOf(told), `cut at ${at}`).toHaveLength(1)
      expect(faults, `cut at ${at}`).toHaveLength(at <= lastToken ? 1 : 0)
    }
  })

  test('what is left of a damaged record before its next token is no line', () => {
    for (const piece of [`1\t0${token}\tsh${token}\n`, `sh${token}\n`]) {
      expect(decode(`line\n${piece}next\n`)).toEqual([
        { other: 'line' },
        { fault: 'damaged', type: null },
        { other: 'next' },
      ])
    }
  })

  test('an unfinished record at the end of the stream is one fault', () => {
    const whole = shortRecord(1, 'a\nb')
    for (let at = token.length + 2; at < whole.length; at++) {
      expect(decode(whole.slice(0, at)), `cut at ${at}`).toEqual([
        { fault: 'damaged', type: 'short' },
      ])
    }
  })

  test('a record with a text too many or too few is one fault', () => {
    const many = record(codes.short, [1, 0], ['a', 'b'])
    const few = record(codes.short, [1, 0])

    for (const bad of [many, few]) {
      const told = decode(bad + good)
      expect(restOf(told)).toEqual([{ fault: 'damaged', type: 'short' }])
      expect(eventsOf(told)).toHaveLength(1)
    }
  })

  test('a record with a field too many or too few is one fault', () => {
    for (const closed of [[1], [1, 0, 0]]) {
      const told = decode(record(codes.short, closed, ['sh']) + good)
      expect(restOf(told)).toEqual([{ fault: 'damaged', type: 'short' }])
      expect(eventsOf(told)).toHaveLength(1)
    }
  })

  test('a code that nothing has is a fault of no type', () => {
    const told = decode(record('7', [1], ['x\ny']) + good)

    expect(restOf(told)).toEqual([{ fault: 'unknown-code', type: null }])
    expect(eventsOf(told)).toHaveLength(1)
  })

  test('a map line after a cut record is still read', () => {
    const map = `@n_${token}_0_0: 12`
    for (const cut of [`${token}3\t1`, `${token}3\t1\t0${token}\tab`]) {
      expect(decode(`${cut}\n${map}\n`)).toEqual([
        { fault: 'damaged', type: 'short' },
        { other: map },
      ])
    }
  })
})

describe('sizes', () => {
  const limit = 65_536

  test('a record of 64 KiB decodes and one byte more is too long', () => {
    const closed = ['5', 1, 2, 3, '4', 5, 6, '::', 8, '10.0.0.2', 9, 1, 0, 0, 0, 0, 0]
    const long = (note: string) => record(codes.kitchen, closed, ['sh', '', note])
    const fits = limit - long('').length

    expect(eventsOf(decode(long('x'.repeat(fits))))).toHaveLength(1)
    for (const size of [limit, 1000]) {
      const over = piecesOf(long('x'.repeat(fits + 1)), size)
      const told = decode([...over, shortRecord(9)])
      expect(restOf(told)).toEqual([{ fault: 'too-long', type: 'kitchen' }])
      expect(eventsOf(told).map((event) => event.pid)).toEqual([9])
    }
  })

  test('a line longer than 64 KiB is told once, cut, whatever its chunks', () => {
    const text = `${'y'.repeat(limit + 10)}\nnext\n${shortRecord(1)}`

    for (const chunks of [[text], piecesOf(text, 4096)]) {
      expect(restOf(decode(chunks))).toEqual([{ other: 'y'.repeat(limit) }, { other: 'next' }])
    }
  })

  test('a record after a cut line is found however its token is split', () => {
    const text = `${'y'.repeat(limit + 10)}${shortRecord(1)}@n_${token}_0_0: 1\n`
    for (let at = limit + 1; at < text.length; at++) {
      const told = decode([text.slice(0, at), text.slice(at)])
      expect(eventsOf(told), `split at ${at}`).toHaveLength(1)
      expect(restOf(told)).toEqual([{ other: 'y'.repeat(limit) }, { other: `@n_${token}_0_0: 1` }])
    }
  })

  test('the line after a cut one is told, also when damage stood between', () => {
    const long = 'y'.repeat(limit + 10)
    const orphan = `\t1${token}\tsh${token}\n`

    expect(decode([long, `${orphan}next\n`])).toEqual([
      { other: 'y'.repeat(limit) },
      { fault: 'damaged', type: null },
      { other: 'next' },
    ])
  })

  test('ten megabytes without a line end are told once, cut, and keep no memory', () => {
    const chunk = 'z'.repeat(limit)
    const chunks = Array.from({ length: 160 }, () => chunk)
    const told = decode([...chunks, `\n${shortRecord(1)}`])

    expect(restOf(told)).toEqual([{ other: chunk }])
    expect(eventsOf(told)).toHaveLength(1)
  })

  test('ten megabytes in one chunk do the same', () => {
    const told = decode(`${'z'.repeat(10_000_000)}${shortRecord(1)}`)

    expect(restOf(told)).toEqual([{ other: 'z'.repeat(limit) }])
    expect(eventsOf(told)).toHaveLength(1)
  })

  test('a text that never ends is one fault, and the next record decodes', () => {
    const open = `${token}3\t1\t0${token}\t`
    const told = decode([
      open,
      ...Array.from({ length: 40 }, () => 'a\n'.repeat(4096)),
      shortRecord(9),
    ])

    expect(told).toEqual([
      { fault: 'too-long', type: 'short' },
      { event: { event: 'short', pid: 9, ret: 0, comm: 'sh' } },
    ])
  })
})
