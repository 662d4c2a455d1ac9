import { describe, expect, test } from 'vitest'
import { codes, decode, eventsOf, record } from './harness.ts'

type Mode = 'object' | 'ndjson'

/** Closed fields of a record that the fast way takes, by name and in wire order. */
const good = {
  ktime_ns: '12345678901234',
  small: '255',
  pid: '1',
  ppid: '4294967295',
  cgroup: '1844674407370955161',
  span: '9007199254740991',
  netns: '4026531840',
  laddr: '10.0.0.1',
  lport: '65535',
  raddr: 'fe80::1',
  rport: '0',
  state: '1',
  result: '-111',
  ret: '-2147483648',
  delta: '-922337203685477580',
  where: 'ffffffff81000000',
  load: '3101',
} as const

function kitchen(changes: Partial<Record<keyof typeof good, string>>, mode: Mode = 'object') {
  const closed = Object.values({ ...good, ...changes })
  return decode(record(codes.kitchen, closed, ['sh', '/bin/sh', '']), { mode })
}

describe.each(['object', 'ndjson'] as const)('a closed field (%s)', (mode) => {
  const shown = (field: keyof typeof good, text: string) =>
    eventsOf(kitchen({ [field]: text }, mode))[0]?.[field]
  const faults = (field: keyof typeof good, text: string) =>
    kitchen({ [field]: text }, mode).map((one) => ('fault' in one ? one.fault : 'event'))

  test('becomes the value of its kind', () => {
    const [event] = eventsOf(kitchen({}, mode))

    expect(event).toEqual({
      event: 'kitchen',
      time: '1970-01-01T03:25:45.678901234Z',
      ktime_ns: '12345678901234',
      small: 255,
      pid: 1,
      ppid: 4_294_967_295,
      comm: 'sh',
      cgroup: '1844674407370955161',
      whence: 'task "1" // */ `${0}`',
      container: null,
      span: Number.MAX_SAFE_INTEGER,
      netns: 4_026_531_840,
      family: 6,
      laddr: '10.0.0.1',
      lport: 65_535,
      raddr: 'fe80::1',
      rport: 0,
      lfamily: 4,
      state: 'ONE',
      result: { code: -111, name: 'ECONNREFUSED' },
      ret: -2_147_483_648,
      delta: '-922337203685477580',
      where: '0xffffffff81000000',
      load: 1.51,
      error: 'ERRNO_2147483648',
      path: '/bin/sh',
      note: '',
    })
  })

  test.each([
    ['small', '256'],
    ['pid', '4294967296'],
    ['lport', '65536'],
    ['rport', '99999999999999999999999999'],
    ['ret', '2147483648'],
    ['ret', '-2147483649'],
    ['result', '4294967185'],
    ['span', '9007199254740992'],
    ['span', '18446744073709551615'],
    ['ktime_ns', '18446744073709551616'],
    ['cgroup', '100000000000000000000'],
    ['state', '18446744073709551616'],
    ['delta', '9223372036854775808'],
    ['delta', '-9223372036854775809'],
    ['load', '9007199254740992'],
  ] as const)('%s of %s is out of range', (field, text) => {
    expect(faults(field, text)).toEqual(['range'])
  })

  test.each([
    ['pid', ''],
    ['pid', '+1'],
    ['pid', ' 1'],
    ['pid', '1 '],
    ['pid', '-1'],
    ['pid', '0x1'],
    ['pid', '1e3'],
    ['pid', '1.0'],
    ['pid', '01'],
    ['ppid', '-2'],
    ['ppid', '-'],
    ['ret', '-0'],
    ['ret', '--1'],
    ['ret', '-'],
    ['ret', '-01'],
    ['state', '-1'],
    ['ktime_ns', '-5'],
    ['ktime_ns', ''],
    ['cgroup', '007'],
    ['pid', '１'],
    ['delta', '-0'],
    ['delta', '-'],
    ['delta', '--5'],
    ['delta', '007'],
    ['where', ''],
    ['where', '0x1'],
    ['where', 'FF'],
    ['where', '0ff'],
    ['where', '-1'],
    ['where', '1ffffffffffffffff'],
    ['load', '-1'],
    ['load', '1.5'],
    ['load', '01'],
  ] as const)('%s of %j is no number', (field, text) => {
    expect(faults(field, text)).toEqual(['number'])
  })

  test.each([
    ['raddr', '10.0.0.256'],
    ['raddr', '10.0.0'],
    ['raddr', '10.0.0.1.2'],
    ['raddr', '10.0.0.01'],
    ['raddr', '10..0.1'],
    ['raddr', '10.0.0.'],
    ['raddr', '00.0.0.1'],
    ['raddr', '1.2.3.1000'],
    ['raddr', ':'],
    ['raddr', ''],
    ['raddr', 'FE80::1'],
    ['raddr', 'fe80::1%lo'],
    ['raddr', '1::2::3'],
    ['raddr', 'curl'],
  ] as const)('%s of %j is no address', (field, text) => {
    expect(faults(field, text)).toEqual(['address'])
  })

  test('of a cgroup is its container, or null', () => {
    expect(eventsOf(kitchen({ cgroup: '4242' }, mode))[0]).toMatchObject({
      cgroup: '4242',
      container: 'web-1',
    })
    expect(eventsOf(kitchen({ cgroup: '4243' }, mode))[0]?.container).toBeNull()
  })

  test('is null when it holds what stands for no value', () => {
    expect(shown('ppid', '-1')).toBeNull()
    expect(shown('netns', '0')).toBeNull()
    expect(['::', '0.0.0.0', '::ffff:0.0.0.0'].map((none) => shown('laddr', none))).toEqual([
      null,
      null,
      null,
    ])
    expect(shown('raddr', '0.0.0.0')).toBe('0.0.0.0')
    expect(eventsOf(kitchen({ laddr: '::' }, mode))[0]?.lfamily).toBeNull()
    expect(shown('lport', '0')).toBeNull()
    expect(shown('rport', '0')).toBe(0)
    expect(shown('where', '0')).toBeNull()
  })

  test('of a load average has the two decimals of /proc/loadavg', () => {
    // LOAD_INT and LOAD_FRAC of include/linux/sched/loadavg.h, after adding FIXED_1 / 200.
    const decimals = (fixed: number) =>
      `${(fixed + 10) >> 11}.${String((((fixed + 10) & 2047) * 100) >> 11).padStart(2, '0')}`

    for (const fixed of [0, 10, 11, 2037, 2038, 2048, 3101, 204_800, 20_971_520])
      expect((shown('load', String(fixed)) as number).toFixed(2)).toBe(decimals(fixed))
  })

  test('with a sign keeps it, and all 19 digits', () => {
    expect(shown('delta', '-9223372036854775808')).toBe('-9223372036854775808')
    expect(shown('delta', '9223372036854775807')).toBe('9223372036854775807')
    expect(shown('delta', '0')).toBe('0')
    expect(shown('delta', '-1')).toBe('-1')
  })

  test('of 20 digits keeps them all', () => {
    expect(shown('cgroup', '18446744073709551615')).toBe('18446744073709551615')
    expect(shown('ktime_ns', '10000000000000000000')).toBe('10000000000000000000')
  })

  test('with names shows the name, or the number when there is none', () => {
    expect(shown('state', '2')).toBe('two "2"')
    expect(shown('state', '0')).toBe('UNKNOWN_0')
    expect(shown('state', '18446744073709551615')).toBe('UNKNOWN_18446744073709551615')
  })

  test('with a result shows code and name', () => {
    expect(shown('result', '0')).toEqual({ code: 0, name: 'OK' })
    expect(shown('result', '3')).toEqual({ code: 3, name: 'OK' })
    expect(shown('result', '-13')).toEqual({ code: -13, name: 'EACCES' })
    expect(shown('result', '7')).toEqual({ code: 7, name: 'seven "7"' })
    expect(shown('result', '-4242')).toEqual({ code: -4242, name: 'OWN' })
    expect(shown('result', '-4095')).toEqual({ code: -4095, name: 'ERRNO_4095' })
    expect(shown('result', '-4097')).toEqual({ code: -4097, name: 'ERRNO_4097' })
  })

  test('with an address shows mapped IPv4 as IPv4, and gives the family', () => {
    const [mapped] = eventsOf(kitchen({ raddr: '::ffff:192.168.1.9' }, mode))
    const [long] = eventsOf(kitchen({ raddr: '2001:db8:ffff:ffff:ffff:ffff:ffff:fffe' }, mode))

    expect([mapped?.raddr, mapped?.family]).toEqual(['192.168.1.9', 4])
    expect([long?.raddr, long?.family]).toEqual(['2001:db8:ffff:ffff:ffff:ffff:ffff:fffe', 6])
  })

  test('with a return value gives the errno only below 0', () => {
    const error = (ret: string) => eventsOf(kitchen({ ret }, mode))[0]?.error

    expect([error('-2'), error('0'), error('5')]).toEqual(['ENOENT', null, null])
  })
})

test('more addresses than are remembered are all shown right', () => {
  const addresses = Array.from({ length: 10_000 }, (_, n) => `2001:db8::${n.toString(16)}`)
  const stream = [...addresses, ...addresses]
    .filter((address) => !address.endsWith('::0'))
    .map((raddr) => record(codes.kitchen, Object.values({ ...good, raddr }), ['', '', '']))
    .join('')

  const shown = eventsOf(decode(stream)).map((event) => event.raddr)

  expect(shown).toHaveLength(19_998)
  expect(new Set(shown).size).toBe(9999)
  expect(shown[0]).toBe('2001:db8::1')
})
