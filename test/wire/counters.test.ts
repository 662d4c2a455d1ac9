import { describe, expect, test } from 'vitest'
import { createCounters } from '../../src/wire/counters.ts'
import { createAccount } from '../../src/wire/tally.ts'
import { codes, layouts, token } from './harness.ts'

const count = (code: string, site: number, value: number | string) =>
  `@n_${token}_${code}_${site}: ${value}`
const mark = `@z_${token}: 1`

describe('counters', () => {
  test('sum the sites of a code as last seen', () => {
    const counters = createCounters(token)

    expect(counters.emitted('0')).toBeNull()
    for (const line of [count('0', 0, 5), count('0', 1, 7), count('1', 0, 100), count('0', 0, 6)]) {
      expect(counters.line(line)).toBe('count')
    }
    expect([counters.emitted('0'), counters.emitted('1'), counters.emitted('2')]).toEqual([
      13,
      100,
      null,
    ])
  })

  test('tell what did not fit, and whose events nobody knows', () => {
    const counters = createCounters(token)

    expect([counters.full, counters.unowned]).toEqual([null, null])
    for (const line of [`@f_${token}: 3`, `@w_${token}: 5`, `@w_${token}: 7`])
      expect(counters.line(line)).toBe('count')
    expect([counters.full, counters.unowned]).toEqual([3, 7])
  })

  test('count the end marks', () => {
    const counters = createCounters(token)

    expect(counters.line(mark)).toBe('mark')
    expect(counters.line(`@z_${token}: 2`)).toBe('mark')
    expect(counters.marks).toBe(2)
  })

  test.each([
    `@n_0000000000000000_0_0: 5`,
    `@n__0_0: 5`,
    `@n: 5`,
    `@z: 1`,
    'Lost 9 events',
    `x${count('0', 0, 5)}`,
    `${count('0', 0, 5)} `,
    `${count('0', 0, 5)}\n`,
    `${count('0', 0, 5)}\r`,
    `x\n${count('0', 0, 5)}`,
    count('0', 0, -5),
    count('0', 0, '+5'),
    count('0', 0, ''),
    count('0', 0, '5.0'),
    count('0', 0, '0x5'),
    count('0', 0, '05'),
    count('0', 0, '9007199254740992'),
    count('00', 0, 5),
    count('', 0, 5),
    `@n_${token}_0_: 5`,
    `@n_${token}_0_0[1]: 5`,
    `@z_${token}: `,
    `@z_${token}x: 1`,
    '',
  ])('%j counts for nothing', (line) => {
    const counters = createCounters(token)

    expect(counters.line(line)).toBeNull()
    expect([counters.emitted('0'), counters.marks]).toEqual([null, 0])
  })

  test('take the largest safe count', () => {
    const counters = createCounters(token)

    expect(counters.line(count('0', 0, Number.MAX_SAFE_INTEGER))).toBe('count')
    expect(counters.emitted('0')).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('the account', () => {
  const names = ['short', 'listing']

  function tally() {
    const account = createAccount(names, layouts)
    account.received('short', 10)
    account.delivered('short', 6)
    account.filtered('short', 3)
    account.afterEnd('short')
    account.fault('short')
    account.fault(null)
    account.missed('short', 4)
    return account
  }

  test('closes: received is delivered, filtered, after the end and faults; lost is what is missing', () => {
    const counters = createCounters(token)
    counters.line(count(codes.short, 0, 20))
    counters.line(mark)

    const { account, events, stray_faults } = tally().snapshot({ final: true, counters })

    expect(account).toBe('exact')
    expect(events.short).toEqual({
      emitted: 20,
      received: 11,
      delivered: 6,
      filtered: 3,
      after_end: 1,
      lost: 9,
      faults: 1,
      missed: 4,
    })
    expect(stray_faults).toBe(1)
  })

  test('takes an absent count for 0 only when the final counts were all read', () => {
    const counters = createCounters(token)
    const open = tally().snapshot({ final: true, counters })
    counters.line(mark)
    const live = tally().snapshot({ final: false, counters })
    const final = tally().snapshot({ final: true, counters })

    expect([open.account, open.events.listing?.emitted]).toEqual(['open', null])
    expect([live.account, live.events.listing?.emitted]).toEqual(['open', null])
    expect([final.account, final.events.listing?.emitted]).toEqual(['exact', 0])
    expect(final.events.listing?.lost).toBe(0)
  })

  test('shows a negative loss as it is', () => {
    const counters = createCounters(token)
    counters.line(count(codes.short, 0, 5))
    counters.line(mark)

    expect(tally().snapshot({ final: true, counters }).events.short?.lost).toBe(-6)
  })

  test('does not count parts as emitted events', () => {
    const counters = createCounters(token)
    counters.line(count(codes.part, 0, 50))
    counters.line(count(codes.listing, 0, 7))
    counters.line(mark)

    expect(tally().snapshot({ final: true, counters }).events.listing?.emitted).toBe(7)
  })

  test('knows nothing missed until it is told', () => {
    const account = createAccount(names, layouts)
    const counters = createCounters(token)

    expect(account.snapshot({ final: false, counters }).events.short?.missed).toBeNull()
    account.missed('short', 0)
    expect(account.snapshot({ final: false, counters }).events.short?.missed).toBe(0)
  })

  test('refuses an event type that the run does not have', () => {
    expect(() => createAccount(names, layouts).received('connect')).toThrow(/connect/)
  })
})
