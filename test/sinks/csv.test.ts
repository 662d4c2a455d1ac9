import fc from 'fast-check'
import { stringify } from 'csv-stringify/sync'
import { describe, expect, test } from 'vitest'
import { csvRow } from '../../src/sinks/csv.ts'
import { connect, connects, exec, execs, pipe, sockets, terminal, written } from './helpers.ts'

describe('the csv sink', () => {
  test('writes a header from the definition and rows that end in CRLF', () => {
    const text = written('csv', pipe(), [connect], { probe: connects })

    expect(text.split('\r\n')).toMatchInlineSnapshot(`
      [
        "time,ktime_ns,pid,tid,cpu,uid,comm,cgroup,container,raddr,rport,result_code,result_name,duration_ns,escaped,cut",
        "2026-11-21T03:30:00.123456789Z,9007199254740993,4711,4711,3,1000,curl,18446744073709551615,,192.0.2.7,443,0,OK,1234567,,",
        "",
      ]
    `)
  })

  test('writes a list of texts as a JSON array', () => {
    const event = { ...exec, argv: ['a', null, 'b "c"'], cut: ['argv[2]', 'comm'] }

    const text = written('csv', pipe(), [event], { probe: execs, header: false })

    expect(text).toMatchInlineSnapshot(`
      "2026-11-21T03:30:00.123456789Z,4711,1,systemd-journal,-2,"[""a"",null,""b \\""c\\""""]",,argv[2] comm
      "
    `)
  })

  test('keeps null and the empty text apart', () => {
    const options = { probe: execs, fields: ['comm', 'ppid'], header: false }

    const rows = [
      { ...exec, comm: '', ppid: null },
      { ...exec, comm: null, ppid: 0 },
    ]

    expect(written('csv', pipe(), rows, options)).toBe('"",,,\r\n,0,,\r\n')
  })

  test.each(['=1+1', '+1', '-1+1', '-', '-007', '-0', '@SUM(A1)', '\t=1', '\r=1', '＝1'])(
    'puts a quote before the text %j, which a spreadsheet would run',
    (comm) => {
      const text = written('csv', pipe(), [{ ...exec, comm }], {
        probe: execs,
        fields: ['comm'],
        header: false,
      })

      expect(text.replace(/^"/, '').startsWith(`'${comm}`)).toBe(true)
    },
  )

  test('keeps a negative number a number', () => {
    const text = written('csv', pipe(), [exec], { probe: execs, fields: ['ret'], header: false })

    expect(text).toBe('-2,,\r\n')
  })

  test.each([[['comm']], [['comm', 'argv']]])('also one of 64 bits, a text, in %j', (fields) => {
    const row = { ...exec, comm: '-12345678901234' }
    const text = written('csv', pipe(), [row], { probe: execs, fields, header: false })

    expect(text.startsWith('-12345678901234,')).toBe(true)
  })

  test('keeps line feeds, commas and quotes of a text inside one cell', () => {
    const text = written('csv', pipe(), [{ ...exec, comm: 'a\n"b",c' }], {
      probe: execs,
      fields: ['comm'],
      header: false,
    })

    expect(text).toBe('"a\n""b"",c",,\r\n')
  })

  test.each(['x\nforged', 'x\rforged', '\n', 'x\r\nforged'])(
    'does not let the text %j end a row',
    (comm) => {
      const text = written('csv', pipe(), [{ ...exec, comm }], {
        probe: execs,
        fields: ['comm'],
        header: false,
      })

      expect(text).toBe(`"${comm}",,\r\n`)
    },
  )

  test('has an event column and the union of fields for several event types', () => {
    const events = [
      { event: 'open', pid: 1, comm: 'nc' },
      { event: 'close', pid: 1, why: 'local' },
    ]

    expect(written('csv', pipe(), events, { probe: sockets }).split('\r\n')).toMatchInlineSnapshot(`
      [
        "event,pid,comm,why,escaped,cut",
        "open,1,nc,,,",
        "close,1,,local,,",
        "",
      ]
    `)
  })

  test('writes controls out on a terminal', () => {
    const text = written('csv', terminal(80), [{ ...exec, comm: '\x1b[2J' }], {
      probe: execs,
      fields: ['comm'],
      header: false,
    })

    expect(text).toBe('\\x1b[2J,,\r\n')
  })
})

test('the short way of a simple row writes what csv-stringify writes', () => {
  const cell = fc.oneof(fc.integer(), fc.constant(null), fc.string(), fc.string({ unit: 'binary' }))

  fc.assert(
    fc.property(fc.array(cell, { minLength: 2, maxLength: 5 }), (cells) => {
      const options = { record_delimiter: '\r\n', escape_formulas: true, quoted_match: /^$|[\r\n]/ }
      expect(csvRow(cells)).toBe(stringify([cells], options))
    }),
    { numRuns: 50 },
  )
})
