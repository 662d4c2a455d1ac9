import { describe, expect, test } from 'vitest'
import killsnoop from '../../probes/killsnoop/probe.ts'
import tcplife from '../../probes/tcplife/probe.ts'
import tcptop from '../../probes/tcptop/probe.ts'
import type { AnyEvent, ProbeSpec } from '../../src/schema/define.ts'
import { summaryProbe, summaryRanks } from '../../src/schema/summary.ts'
import { groupTable } from '../../src/sinks/group-table.ts'
import { displayWidth } from '../../src/sinks/safe-text.ts'
import type { SinkOptions } from '../../src/sinks/sink.ts'
import { groupLayouts } from '../../src/wire/groups.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { connects, type Memory, pipe, sockets, terminal } from './helpers.ts'

const longAddress = '2001:db8:85a3:1234:5678:8a2e:370:7334'

const group: AnyEvent = {
  event: 'transfer',
  time: '2026-11-21T03:30:01.123456789Z',
  ktime_ns: '1000000000',
  interval_ns: 1_000_000_000,
  pid: 4711,
  comm: 'curl',
  laddr: '127.0.0.1',
  lport: 51_234,
  raddr: '192.0.2.7',
  rport: 443,
  count: 20,
  sent_sum: '1048576',
  received_sum: '2097152',
}

const lives = [1, 2].map((at) => ({
  event: 'connection',
  time: group['time'],
  ktime_ns: '1000000000',
  raddr: '127.0.0.1',
  rport: 47_100 + at,
  count: 8,
  duration_sum_ns: '896000',
  duration_avg_ns: 112_000 * at,
  duration_p50_ns: 131_072,
  duration_p90_ns: 262_144,
  duration_p99_ns: 262_144 * at ** 9,
  sent_sum: String(512_000 * at),
  received_sum: '1536000',
  retransmits_sum: '0',
  srtt_us_sum: '69',
}))

const connectGroup: AnyEvent = {
  event: 'connect',
  time: group['time'],
  ktime_ns: '1000000000',
  raddr: '192.168.100.200',
  rport: 443,
  count: 5,
  duration_sum_ns: '275000',
  duration_avg_ns: 55_000,
  duration_p50_ns: 65_536,
  duration_p90_ns: 131_072,
  duration_p99_ns: null,
}

interface Shown {
  readonly probe?: ProbeSpec
  readonly by?: readonly string[]
  readonly redraws?: boolean
  readonly options?: Partial<SinkOptions>
}

/** A sink for a summary of a probe. */
function sinkOf(out: Memory, { probe = tcptop, by, redraws = true, options = {} }: Shown = {}) {
  const keys = by ?? probe.aggregate?.by ?? []
  const groups = groupLayouts(layoutsOfProbe(probe.events), keys)
  const spec = summaryProbe(probe, groups, { histogram: null, repeats: redraws })
  const sink = groupTable({ ranks: summaryRanks(probe, groups, by), redraws })(out, {
    probe: spec,
    fields: null,
    header: true,
    utc: true,
    ...options,
  })
  sink.begin()
  return {
    interval(...rows: readonly AnyEvent[]) {
      rows.forEach((row) => sink.event(row))
      sink.batch?.(false)
    },
    lastInterval(...rows: readonly AnyEvent[]) {
      rows.forEach((row) => sink.event(row))
      sink.batch?.(true)
    },
    end: () => sink.end(),
    notes: () => sink.notes?.() ?? [],
  }
}

/** What is written for one interval. */
function written(out: Memory, rows: readonly AnyEvent[], shown: Shown = {}): string {
  const sink = sinkOf(out, shown)
  sink.interval(...rows)
  sink.end()
  return out.text()
}

/** What a terminal of these lines shows, with what has left it above: it knows the two sequences that a live table may use. */
function screen(text: string, height: number): readonly string[] {
  const lines = ['']
  let at = 0
  for (const part of text.split(/(\n|\r|\x1b\[\d*[AJ])/)) {
    const up = /^\x1b\[(\d+)A$/.exec(part)?.[1]
    if (up !== undefined) at = Math.max(at - Number(up), lines.length - height, 0)
    else if (part === '\x1b[J') lines.splice(at, lines.length, '')
    else if (part === '\n') at += 1
    else if (part !== '\r') lines[at] = `${lines[at] ?? ''}${part}`
    lines[at] ??= ''
  }
  return lines
}

function headings(text: string): readonly string[] {
  return text.split('\n')[0]?.trim().split(/ +/) ?? []
}

describe('a summary on a terminal', () => {
  test('of 80 columns has who, the remote end and all figures', () => {
    expect(written(terminal(80, false, 24), [group])).toMatchInlineSnapshot(`
      "    PID COMM            RADDR           RPORT     COUNT  SENT_SUM RECEIVED_SUM
         4711 curl            192.0.2.7         443        20   1048576      2097152
      "
    `)
  })

  test('of 110 columns has all keys and figures', () => {
    expect(written(terminal(110, false, 24), [group])).toMatchInlineSnapshot(`
      "    PID COMM            LADDR           LPORT RADDR           RPORT     COUNT  SENT_SUM RECEIVED_SUM
         4711 curl            127.0.0.1       51234 192.0.2.7         443        20   1048576      2097152
      "
    `)
  })

  test('keeps the time where intervals stand one below the other', () => {
    expect(written(terminal(80), [group])).toMatchInlineSnapshot(`
      "TIME(UTC)      PID COMM            RADDR           RPORT COUNT    SENT RECEIVED
      03:30:01.123  4711 curl            192.0.2.7         443    20 1048576  2097152
      "
    `)
  })

  test('shortens headings before it leaves out what the probe itself shows', () => {
    const shown = { probe: connects, by: ['raddr', 'rport'], redraws: false }

    expect(written(terminal(80), [connectGroup], shown)).toMatchInlineSnapshot(`
      "RADDR           RPORT COUNT AVG_MS P50_MS P90_MS P99_MS
      192.168.100.200   443     5  0.055  0.066  0.131      -
      "
    `)
    expect(written(terminal(100), [connectGroup], shown)).toContain('DURATION_P50_MS')
  })

  test('cuts a long address, and no figure', () => {
    const large = '1234567890123'
    const row = { ...group, raddr: longAddress, comm: 'systemd-journal', sent_sum: large }
    const text = written(terminal(80, false, 24), [row])

    expect(text).toMatch(/ 2001:db8:85a3:\S*…/)
    expect(text).toContain(` ${large} `)
    expect(text).toContain(' 2097152')
  })

  test.each([30, 40, 50, 60, 70, 80, 90, 100, 110, 130])(
    'has all figures in %i columns',
    (columns) => {
      const text = written(terminal(columns, false, 24), [{ ...group, raddr: longAddress }])

      expect(Math.max(...text.split('\n').map(displayWidth))).toBeLessThanOrEqual(columns)
      expect(headings(text)).toContain('PID')
      expect(text).toMatch(/ COUNT +SENT\S* +RECEIVED/)
      expect(text).toMatch(/ 20 +1048576 +2097152$/m)
    },
  )

  test('keeps the one key there is, though the table of the probe has it not', () => {
    expect(headings(written(terminal(50, false, 24), [group], { by: ['laddr'] }))).toContain(
      'LADDR',
    )
  })

  test('leaves out figures that matter less before a key that was asked for, and says so', () => {
    const out = terminal(60)
    const sink = sinkOf(out, { probe: tcplife, by: ['raddr', 'rport'], redraws: false })
    sink.interval(...lives)
    sink.end()

    expect(out.text()).toMatchInlineSnapshot(`
      "RADDR     RPORT COUNT AVG_MS P50_MS  P99_MS    SENT RECEIVED
      127.0.0.1 47101     8  0.112  0.131   0.262  512000  1536000
      127.0.0.1 47102     8  0.224  0.131 134.218 1024000  1536000
      "
    `)
    expect(sink.notes()).toMatchInlineSnapshot(`
      [
        "no room for duration_p90_ns, retransmits_sum, srtt_us_sum in 60 columns: --fields with these, a wider terminal, or -o csv",
      ]
    `)
  })

  test.each([25, 30, 40, 60, 80, 100, 200])(
    'has each cell below its heading in %i columns',
    (columns) => {
      const out = terminal(columns)
      const sink = sinkOf(out, { probe: tcplife, by: ['raddr', 'rport'], redraws: false })
      sink.interval(...lives)
      sink.end()
      const [header = '', ...rows] = out.text().trimEnd().split('\n')
      const endsOf = (line: string) =>
        [...line.matchAll(/\S+/g)].map((word) => word.index + word[0].length)

      expect(headings(header).slice(0, 2)).toEqual(['RADDR', 'RPORT'])
      expect(out.text()).not.toMatch(/^.*….*\n/)
      expect(header.length).toBeLessThanOrEqual(columns)
      for (const row of rows) expect(endsOf(row).slice(1)).toEqual(endsOf(header).slice(1))
      expect(sink.notes()).toHaveLength(columns < 100 ? 1 : 0)
    },
  )

  test('is as wide as its longest words need, and cuts those where it has no room', () => {
    const kill = { event: 'kill', ktime_ns: '1', result: { code: 0, name: 'OK' }, count: 1 }
    const rows = [
      { ...kill, kind: 'pidfd_send_signal', signal: 'UNKNOWN_100', tpid: null },
      { ...kill, kind: 'kill', signal: 'NONE', tpid: 31_777 },
    ]
    const shown = { probe: killsnoop, by: ['kind', 'signal', 'tpid', 'result'], redraws: false }

    expect(written(terminal(80), rows, shown)).toMatchInlineSnapshot(`
      "KIND              SIGNAL       TPID RESULT           COUNT
      pidfd_send_signal UNKNOWN_100     - OK                   1
      kill              NONE        31777 OK                   1
      "
    `)
    expect(written(terminal(36), rows, shown)).toMatchInlineSnapshot(`
      "KIND     SIGNAL    TPID RESULT COUNT
      pidfd_s… UNKNOWN…     - OK         1
      kill     NONE     31777 OK         1
      "
    `)
    expect(written(pipe(), rows, shown)).toMatchInlineSnapshot(`
      "KIND              SIGNAL       TPID RESULT           COUNT
      pidfd_send_signal UNKNOWN_100     - OK                   1
      kill              NONE        31777 OK                   1
      "
    `)
  })

  test('names event types where there are several', () => {
    const rows = [
      { event: 'open', ktime_ns: '1', comm: 'nc', pid: 1, count: 3 },
      { event: 'close', ktime_ns: '1', pid: 1, count: 2 },
    ]

    expect(written(terminal(80), rows, { probe: sockets, by: ['pid'], redraws: false }))
      .toMatchInlineSnapshot(`
      "EVENT     PID     COUNT
      open        1         3
      close       1         2
      "
    `)
  })

  test('shows the fields that were asked for', () => {
    const options = { fields: ['time', 'raddr', 'sent_sum'] }

    expect(headings(written(terminal(80, false, 24), [group], { options }))).toEqual([
      'TIME(UTC)',
      'RADDR',
      'SENT_SUM',
    ])
  })
})

describe('a summary in a pipe', () => {
  test('is appended as it comes, and nothing is left out', () => {
    const out = pipe()
    const sink = sinkOf(out)
    sink.interval(group)
    sink.interval({ ...group, ktime_ns: '2000000000', raddr: longAddress })
    sink.end()

    expect(out.text()).not.toContain('\x1b')
    expect(out.text().trim().split('\n')).toHaveLength(3)
    expect(out.text()).toContain(longAddress)
    expect(headings(out.text())).toEqual(
      expect.arrayContaining(['TIME(UTC)', 'LADDR', 'LPORT', 'COUNT', 'SENT_SUM', 'RECEIVED_SUM']),
    )
  })
})

describe('a live table', () => {
  const at = (second: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      ...group,
      ktime_ns: `${second}000000000`,
      pid: second * 1000 + index,
    }))
  const pids = (lines: readonly string[]) =>
    lines.slice(1, -1).map((line) => Number(line.trim().split(' ')[0]))

  test('has the groups of the last interval alone, below one header', () => {
    const out = terminal(80, false, 24)
    const sink = sinkOf(out)
    sink.interval(...at(1, 3))
    sink.interval(...at(2, 5))
    sink.interval(...at(3, 2))
    sink.end()

    const lines = screen(out.text(), 24)
    expect(lines[0]).toMatch(/^ +PID COMM/)
    expect(pids(lines)).toEqual([3000, 3001])
    expect(lines.at(-1)).toBe('')
  })

  test('leaves what stands above it', () => {
    const out = terminal(80, false, 24)
    out.write('$ ebpf-run tcptop\n')
    const sink = sinkOf(out)
    sink.interval()
    sink.interval(...at(2, 30))
    sink.interval(...at(3, 1))
    sink.end()

    const lines = screen(out.text(), 24)
    expect(lines[0]).toBe('$ ebpf-run tcptop')
    expect(pids(lines.slice(1))).toEqual([3000])
  })

  test('has the largest groups where not all find room, and a line left for the status', () => {
    const out = terminal(80, false, 10)
    const sink = sinkOf(out)
    sink.interval(...at(1, 40))
    sink.interval(...at(2, 40))
    sink.end()

    const lines = screen(out.text(), 10)
    expect(lines).toHaveLength(10)
    expect(pids(lines)).toEqual([2000, 2001, 2002, 2003, 2004, 2005, 2006, 2007])
  })

  test('is empty after an interval in which nothing happened', () => {
    const out = terminal(80, false, 24)
    const sink = sinkOf(out)
    sink.interval(...at(1, 2))
    sink.interval()
    sink.end()

    expect(pids(screen(out.text(), 24))).toEqual([])
  })

  test('adds what belongs to the same interval and came later', () => {
    const out = terminal(80, false, 24)
    const sink = sinkOf(out)
    sink.interval(...at(1, 2))
    sink.interval({ ...at(1, 1)[0], event: 'transfer', pid: 77 })
    sink.end()

    expect(pids(screen(out.text(), 24))).toEqual([1000, 1001, 77])
  })

  test('stays at the end where the last interval was cut short, and gives way to a longer one', () => {
    const shown = (interval_ns: number) => {
      const out = terminal(80, false, 24)
      const sink = sinkOf(out)
      sink.interval(...at(1, 2))
      sink.lastInterval(...at(2, 1).map((row) => ({ ...row, interval_ns })))
      sink.end()
      return pids(screen(out.text(), 24))
    }

    expect(shown(3_000_000)).toEqual([1000, 1001])
    expect(shown(600_000_000)).toEqual([2000])
  })

  test('erases nothing after a change of width, when nobody knows how many lines it took', () => {
    const out = terminal(80, false, 24)
    const sink = sinkOf(out)
    sink.interval(...at(1, 2))
    out.resize(60)
    sink.interval(...at(2, 2))
    expect(out.text()).not.toContain('\x1b')
    sink.interval(...at(3, 2))
    sink.end()

    expect(out.text()).toContain('\x1b[3A\r\x1b[J')
  })

  test('has no control bytes but its own', () => {
    const out = terminal(80, false, 24)
    const sink = sinkOf(out)
    for (const second of [1, 2])
      sink.interval({ ...group, ktime_ns: String(second), comm: '\x1b[2J\n\r\x9b\x07' })
    sink.end()

    expect(out.text().replaceAll('\x1b[2A\r\x1b[J', '')).toMatch(/^[\x20-\x7e\n…]*$/)
    expect(out.text().split('\n')).toHaveLength(5)
  })

  test('has no header where none is wanted', () => {
    const out = terminal(80, false, 24)
    const sink = sinkOf(out, { options: { header: false } })
    sink.interval(...at(1, 2))
    sink.interval(...at(2, 1))
    sink.end()

    expect(screen(out.text(), 24)).toEqual([expect.stringMatching(/^ +2000 curl/), ''])
  })

  test('is none where the terminal cannot do it: intervals are appended below one header', () => {
    const out = terminal(80)
    const sink = sinkOf(out)
    sink.interval(...at(1, 2))
    sink.interval()
    sink.interval(...at(2, 2))
    sink.end()

    expect(out.text()).not.toContain('\x1b')
    expect(out.text().match(/TIME/g)).toHaveLength(1)
    expect(out.text().trim().split('\n')).toHaveLength(5)
  })
})
