import { describe, expect, test } from 'vitest'
import { liveFigures } from '../../src/commands/report.ts'
import {
  accountText,
  attachedText,
  statusLine,
  type Status,
  unshownNotes,
} from '../../src/sinks/status.ts'
import type { Account, EventAccount } from '../../src/wire/account.ts'

const running: Status = {
  probe: 'tcpconnect',
  phase: 'running',
  elapsedMs: 12_345,
  events: 345,
  perSecond: 28.4,
  lost: 0,
}

const clean: EventAccount = {
  emitted: 312,
  received: 312,
  delivered: 312,
  filtered: 0,
  after_end: 0,
  lost: 0,
  faults: 0,
  missed: null,
}

function exact(type: Partial<EventAccount>): Account {
  return {
    account: 'exact',
    stray_faults: 0,
    map_full: 0,
    unowned: 0,
    events: { connect: { ...clean, ...type } },
  }
}

describe('the status line', () => {
  test('tells time, events, rate and losses', () => {
    expect(statusLine(running, 80)).toBe('tcpconnect · 12 s · 345 events · 28/s · 0 lost')
  })

  test('calls losses an estimate while the run lasts', () => {
    expect(statusLine({ ...running, lost: 7 }, 80)).toContain('~7 lost')
  })

  test('does not claim 0 lost before a count was read', () => {
    expect(statusLine({ ...running, lost: null }, 80)).toContain('lost unknown')
  })

  test('says nothing of losses where they show at the end alone', () => {
    expect(statusLine({ ...running, lost: 'later' }, 80)).toBe(
      'tcpconnect · 12 s · 345 events · 28/s',
    )
  })

  test('shows minutes and hours', () => {
    const at = (elapsedMs: number) => statusLine({ ...running, elapsedMs }, 80).split(' · ')[1]

    expect([at(59_999), at(60_000), at(3_600_000)]).toEqual(['59 s', '1 min 00 s', '1 h 00 min'])
  })

  test('has no figures before it is attached', () => {
    expect(statusLine({ ...running, phase: 'starting', elapsedMs: 400 }, 80)).toBe(
      'tcpconnect · attaching · 0 s',
    )
  })

  test('says what it waits for at the end', () => {
    expect(statusLine({ ...running, phase: 'draining' }, 80)).toBe(
      'tcpconnect · reading what is left · 12 s · 345 events · 0 lost',
    )
  })

  test.each([
    [45, 'tcpconnect · 12 s · 345 events · 0 lost'],
    [36, 'tcpconnect · 345 events · 0 lost'],
    [30, '345 events · 0 lost'],
    [10, '345 event…'],
  ])('keeps what matters most in %i columns', (width, line) => {
    expect(statusLine(running, width)).toBe(line)
  })
})

describe('the figures of a running session', () => {
  const waiting = exact({ emitted: 332, received: 312, delivered: 312, lost: 20 })

  test('are what arrived and what did not', () => {
    expect(liveFigures(waiting, false)).toEqual({ events: 312, lost: 20 })
  })

  test('of a summary are what the kernel counted: what was not dumped yet is not lost', () => {
    expect(liveFigures(waiting, true)).toEqual({ events: 332, lost: 'later' })
    expect(liveFigures(exact({ emitted: null, lost: null }), true)).toEqual({
      events: 312,
      lost: 'later',
    })
  })
})

test('the attached line says that nothing happened yet', () => {
  expect(attachedText('tcpconnect', 'fexit', 612)).toBe(
    'tcpconnect attached after 0.6 s (fexit), 0 events',
  )
})

describe('the account text', () => {
  test('is one line for one event type', () => {
    expect(accountText(exact({}), { durationMs: 60_000, notes: [] })).toMatchInlineSnapshot(
      `"312 events in 60.0 s; kernel counted 312, delivered 312, lost 0, filtered 0, faults 0; missed: unknown (no counter of the kernel could be read) — exact"`,
    )
  })

  test('gives the missed figure where the kernel has a counter', () => {
    expect(accountText(exact({ missed: 3 }), { durationMs: 1000, notes: [] })).toContain(
      'missed: 3 — exact',
    )
  })

  test('tells what came after the end only when something did', () => {
    expect(accountText(exact({ after_end: 2 }), { durationMs: 1000, notes: [] })).toContain(
      'after the end 2',
    )
  })

  test('says plainly what an open account means', () => {
    const open: Account = {
      account: 'open',
      stray_faults: 0,
      map_full: 0,
      unowned: 0,
      events: { connect: { ...clean, emitted: null, lost: null } },
    }

    expect(accountText(open, { durationMs: 1500, notes: [] })).toMatchInlineSnapshot(
      `"312 events in 1.5 s; kernel counted unknown, delivered 312, lost unknown, filtered 0, faults 0; missed: unknown (no counter of the kernel could be read) — open: the final counts could not be read; these are the last known figures, and more may be lost"`,
    )
  })

  test('tells of records that no event type can be named for', () => {
    const text = accountText({ ...exact({}), stray_faults: 2 }, { durationMs: 1000, notes: [] })

    expect(text).toContain('\nnote: 2 damaged records could not be put to any event type')
  })

  test('shows a negative loss as it is and calls it a bug', () => {
    expect(accountText(exact({ lost: -3 }), { durationMs: 1000, notes: [] })).toContain(
      'lost -3 (more arrived than the kernel counted: a bug of ebpf-run, please report it)',
    )
  })

  test('of an open account says no more of it than that records came after the last count', () => {
    const account = { ...exact({ lost: -3 }), account: 'open' as const }
    const text = accountText(account, { durationMs: 1000, notes: [] })

    expect(text).toContain('lost -3 (more arrived after the last count)')
    expect(text).not.toContain('bug')
  })

  test('has a line for each of several event types', () => {
    const account: Account = {
      account: 'exact',
      stray_faults: 0,
      map_full: 0,
      unowned: 0,
      events: { open: clean, close: { ...clean, emitted: 1, received: 1, delivered: 1 } },
    }

    expect(accountText(account, { durationMs: 2000, notes: [] })).toMatchInlineSnapshot(`
      "313 events in 2.0 s — exact
        open: kernel counted 312, delivered 312, lost 0, filtered 0, faults 0; missed: unknown (no counter of the kernel could be read)
        close: kernel counted 1, delivered 1, lost 0, filtered 0, faults 0; missed: unknown (no counter of the kernel could be read)"
    `)
  })

  test('puts notes on lines of their own, with controls written out', () => {
    const text = accountText(exact({}), { durationMs: 1000, notes: ['a\x1b[2J', 'b'] })

    expect(text.split('\n').slice(1)).toEqual([String.raw`note: a\x1b[2J`, 'note: b'])
  })
})

describe('what is said of groups that were left out', () => {
  const left = (groups: number, events: number) => ({ groups, events })

  test('is how many, of which events, and how to see them', () => {
    expect(unshownNotes([left(10, 12)], 20, false)).toEqual([
      '10 more groups (12 events); --top 30 shows them',
    ])
    expect(unshownNotes([left(1, 1)], 20, true)).toEqual([
      '1 more group (1 event); --top 21 shows them',
    ])
  })

  test('is once for all intervals', () => {
    expect(unshownNotes([left(3, 4), left(0, 0), left(5, 9)], 20, false)).toEqual([
      'up to 5 more groups an interval (13 events in 2 intervals); --top 25 shows them',
    ])
  })

  test('is the sum of a whole run', () => {
    expect(unshownNotes([left(3, 4), left(2, 2)], 20, true)).toEqual([
      '5 more groups (6 events); --top 25 shows them',
    ])
  })

  test('is nothing where there are none', () => {
    expect(unshownNotes([left(0, 0)], 20, false)).toEqual([])
  })
})
