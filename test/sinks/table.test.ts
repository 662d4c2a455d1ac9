import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import killsnoop from '../../probes/killsnoop/probe.ts'
import { sinks } from '../../src/sinks/index.ts'
import { displayWidth } from '../../src/sinks/safe-text.ts'
import { connect, connects, exec, execs, pipe, sockets, terminal, written } from './helpers.ts'

const longAddress = '2001:db8:85a3:1234:5678:8a2e:370:7334'
const hostile = 'x\n\x1b[2J\u202e\x9b'

const controls = fc.constantFrom(
  '\n',
  '\x1b[31m',
  '\x9b',
  '\u202e',
  '\u200d',
  '\u2028',
  '\u0301',
  "'",
  ' ',
)

function widest(text: string): number {
  return Math.max(...text.split('\n').map(displayWidth))
}

describe('a piped table', () => {
  test('has a header once, and columns that numbers lean to the right in', () => {
    const text = written('table', pipe(), [connect, { ...connect, pid: 1, comm: 'nc' }], {
      probe: connects,
    })

    expect(text).toMatchInlineSnapshot(`
      "TIME(UTC)        PID COMM            RADDR           RPORT RESULT
      03:30:00.123    4711 curl            192.0.2.7         443 OK
      03:30:00.123       1 nc              192.0.2.7         443 OK
      "
    `)
  })

  test('has no header when none is wanted', () => {
    const text = written('table', pipe(), [connect], { probe: connects, header: false })

    expect(text).toMatch(/^03:30:00.123 /)
  })

  test('cuts nothing, however long', () => {
    const argv = ['x'.repeat(300)]

    const text = written('table', pipe(), [{ ...exec, argv }], { probe: execs })

    expect(text).toContain('x'.repeat(300))
  })

  test('lets an IPv6 address push only what has no room to give', () => {
    const events = [
      connect,
      { ...connect, raddr: '2001:db8::1:2:3' },
      { ...connect, raddr: longAddress },
    ]

    const text = written('table', pipe(), events, { probe: connects })

    expect(text).toMatchInlineSnapshot(`
      "TIME(UTC)        PID COMM            RADDR           RPORT RESULT
      03:30:00.123    4711 curl            192.0.2.7         443 OK
      03:30:00.123    4711 curl            2001:db8::1:2:3   443 OK
      03:30:00.123    4711 curl            2001:db8:85a3:1234:5678:8a2e:370:7334 443 OK
      "
    `)
  })

  test('has room for a signal that has no name', () => {
    const kill = { ...connect, event: 'kill', kind: 'kill', tpid: 31_777 }
    const rows = [
      { ...kill, signal: 'NONE' },
      { ...kill, signal: 'UNKNOWN_100' },
    ]
    const [, one = '', other = ''] = written('table', terminal(80), rows, {
      probe: killsnoop,
    }).split('\n')

    expect(one.indexOf('31777')).toBe(other.indexOf('31777'))
    expect(other).toMatch(/OK$/)
  })

  test('shows what a traced process wrote with every control character written out', () => {
    const text = written('table', pipe(), [{ ...exec, comm: hostile, argv: [hostile] }], {
      probe: execs,
    })

    expect(text.split('\n').at(1)).toMatchInlineSnapshot(
      `"03:30:00.123    4711       1 x\\n\\x1b[2J\\u202e\\u009b -2 $'x\\n\\x1b[2J\\u202e\\u009b'"`,
    )
    expect(text.split('\n')).toHaveLength(3)
  })

  test('has no colour even where colour is forced', () => {
    const out = { ...pipe(), color: true }

    expect(written('table', out, [connect], { probe: connects })).not.toContain('\x1b')
  })

  test('shows the fields that were asked for, in that order', () => {
    const text = written('table', pipe(), [connect], {
      probe: connects,
      fields: ['rport', 'duration_ns'],
    })

    expect(text).toMatchInlineSnapshot(`
      "RPORT DURATION_MS
        443       1.235
      "
    `)
  })

  test('names the event type where a probe has several, and leaves blank what the other one lacks', () => {
    const events = [
      { event: 'open', pid: 1, comm: 'nc' },
      { event: 'close', pid: 1, why: 'local' },
    ]

    expect(written('table', pipe(), events, { probe: sockets })).toMatchInlineSnapshot(`
      "EVENT     PID COMM            WHY
      open        1 nc
      close       1                 local
      "
    `)
  })
})

describe('a table on a terminal', () => {
  test('says which fields a terminal had no room for', () => {
    const out = terminal(30)
    const sink = sinks.table(out, { probe: connects, fields: null, header: true, utc: true })
    sink.begin()
    sink.event(connect)
    sink.end()

    expect(sink.notes?.()).toEqual([
      expect.stringContaining('no room for raddr, rport, result in 30 col'),
    ])
  })

  test('of 80 columns shortens the last text', () => {
    const text = written('table', terminal(80), [exec], { probe: execs })

    expect(text).toMatchInlineSnapshot(`
      "TIME(UTC)        PID    PPID COMM              RET ARGV
      03:30:00.123    4711       1 systemd-journal    -2 ls -l /var/lib/docker/overla…
      "
    `)
  })

  test('of 60 columns shortens the widest texts', () => {
    const text = written('table', terminal(60), [exec], { probe: execs })

    expect(text).toMatchInlineSnapshot(`
      "TIME(UTC)        PID    PPID COMM           RET ARGV
      03:30:00.123    4711       1 systemd-jou…    -2 ls -l /var/…
      "
    `)
  })

  test('of 40 columns drops columns and keeps the last text', () => {
    const text = written('table', terminal(40), [exec], { probe: execs })

    expect(text).toMatchInlineSnapshot(`
      "TIME(UTC)        PID    PPID ARGV
      03:30:00.123    4711       1 ls -l /var…
      "
    `)
  })

  test('of 160 columns gives the rest to the last text', () => {
    const argv = ['y'.repeat(100)]

    const text = written('table', terminal(160), [{ ...exec, argv }], { probe: execs })

    expect(text).toContain('y'.repeat(100))
  })

  test('drops what is not in the default table before anything else', () => {
    const text = written('table', terminal(60), [connect], {
      probe: connects,
      fields: ['time', 'pid', 'raddr', 'cgroup', 'rport', 'result'],
    })

    expect(text.split('\n')[0]).toMatchInlineSnapshot(
      `"TIME(UTC)        PID RADDR           RPORT RESULT"`,
    )
  })

  test('keeps the first three columns whatever the width', () => {
    const text = written('table', terminal(20), [connect], { probe: connects })

    expect(text).toMatchInlineSnapshot(`
      "TIME(UTC)   PID COMM
      03:30:00.123 4711 c…
      "
    `)
  })

  test('never writes a line wider than the terminal', () => {
    const events = [
      connect,
      { ...connect, raddr: longAddress, pid: 4_194_304, comm: '古池や蛙飛び込む水の音' },
      { ...connect, comm: hostile },
    ]

    const widths = [80, 60, 40, 20, 5, 1].map((columns) =>
      widest(written('table', terminal(columns), events, { probe: connects })),
    )

    expect(widths.map((width, index) => width <= ([80, 60, 40, 20, 5, 1][index] ?? 0))).toEqual(
      Array(6).fill(true),
    )
  })

  test('takes room from padding before it cuts the end of a line', () => {
    const text = written('table', terminal(80), [{ ...connect, raddr: longAddress }], {
      probe: connects,
    })

    expect(text.split('\n').at(1)).toMatchInlineSnapshot(
      `"03:30:00.123    4711 curl           2001:db8:85a3:1234:5678:8a2e:370:7334 443 OK"`,
    )
  })

  test('prints the header in bold where colour is allowed, and resets it', () => {
    const [header] = written('table', terminal(80, true), [], { probe: execs }).split('\n')

    expect(header).toBe('\x1b[1mTIME(UTC)        PID    PPID COMM              RET ARGV\x1b[22m')
  })

  test('has no escape sequence where colour is not allowed', () => {
    expect(written('table', terminal(80), [connect], { probe: connects })).not.toContain('\x1b')
  })

  test('prints the header again after a resize that changes the columns, and only then', () => {
    const out = terminal(80)
    const sink = sinks.table(out, { probe: execs, fields: null, header: true, utc: true })

    sink.begin()
    sink.event(exec)
    out.resize(60)
    sink.event(exec)
    sink.event(exec)
    sink.end()

    const headers = out
      .text()
      .split('\n')
      .map((line) => line.startsWith('TIME'))
    expect(headers).toEqual([true, false, true, false, false, false])
  })

  test('does not repeat the header after a resize that changes nothing', () => {
    const out = terminal(100)
    const sink = sinks.table(out, { probe: connects, fields: null, header: true, utc: true })

    sink.begin()
    out.resize(120)
    sink.event(connect)

    expect(out.text().match(/TIME/g)).toHaveLength(1)
  })
})

test('no text of a traced process can act on a terminal, add a line or make one too wide', () => {
  const text = fc.string({ unit: fc.oneof(fc.string({ unit: 'binary', maxLength: 1 }), controls) })
  const columns = fc.integer({ min: 1, max: 200 })

  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 5 }), columns, (comm, argv, columns) => {
      const event = { ...exec, comm, argv }
      const shown = written('table', terminal(columns), [event], { probe: execs })
      const piped = written('table', pipe(), [event], { probe: execs })

      expect(shown + piped).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
      expect([shown.split('\n').length, piped.split('\n').length]).toEqual([3, 3])
      expect(widest(shown)).toBeLessThanOrEqual(columns)
    }),
    { numRuns: 50 },
  )
})

test('a terminal that says it has 0 columns counts as 80', () => {
  const text = written('table', terminal(0), [exec], { probe: execs })

  expect(text).toBe(written('table', terminal(80), [exec], { probe: execs }))
})

test('a table takes NDJSON lines too', () => {
  const out = pipe()
  const sink = sinks.table(out, { probe: connects, fields: ['comm'], header: false, utc: true })

  sink.lines(Buffer.from(`${JSON.stringify({ ...connect, comm: 'fü' })}\n`))

  expect(out.text()).toBe('fü\n')
})
