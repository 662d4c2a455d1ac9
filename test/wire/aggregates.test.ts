import { describe, expect, test } from 'vitest'
import { common, socket } from '../../src/schema/common.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { createAggregates } from '../../src/wire/aggregates.ts'
import { noContainers } from '../../src/wire/containers.ts'
import { createGroupRows } from '../../src/wire/group-rows.ts'
import { groupLayouts, recordsOfGroups } from '../../src/wire/groups.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { listing } from './harness.ts'

const token = '4b71375a7058326d'
const events = {
  connect: {
    doc: 'what is grouped',
    fields: {
      ...common,
      family: socket.family,
      raddr: socket.raddr,
      rport: socket.rport,
      result: { kind: 'result', nullAs: 1, doc: 'what came of it' },
      duration_ns: { kind: 'duration', unit: 'ns', doc: 'how long' },
    },
    table: [],
  },
} as const
const layouts = layoutsOfProbe(events)
const groupsBy = (...by: string[]) => groupLayouts(layouts, by)

/** Lines as bpftrace prints these maps. */
const count = (key: string, value: number) => `@s_${token}_0[${key}]: ${value}`
const sum = (key: string, value: number) => `@a_${token}_0_0[${key}]: ${value}`
const histogram = (key: string, ...buckets: string[]) => [`@h_${token}_0_0[${key}]: `, ...buckets]
const bucket = (bounds: string, value: number) => `${bounds.padEnd(16)}${value} |@@@@      |`

/** The rows of one dump of these lines after another. */
function rowsOf(by: readonly string[], ...dumps: readonly (readonly string[])[]) {
  const groups = groupsBy(...by)
  const aggregates = createAggregates(token, groups)
  const rows = createGroupRows(groups, { clock: { offsetNs: 0n }, containers: noContainers }, null)
  return dumps.map((lines, at) => {
    for (const line of lines) expect([line, aggregates.line(line)]).toEqual([line, true])
    return rows.rows(aggregates.take(), BigInt(at + 1) * 10n, BigInt(at) * 10n)
  })
}

describe('a dump', () => {
  test('becomes one row a group, the largest first, with sums and the bounds of its quantiles', () => {
    const [rows] = rowsOf(
      ['rport'],
      [
        count('22', 2),
        count('443', 100),
        sum('22', 3000),
        sum('443', 250_000),
        ...histogram('22', bucket('[1K, 2K)', 2)),
        ...histogram('443', bucket('[1K, 2K)', 50), bucket('[2K, 4K)', 49), bucket('[1M, 2M)', 1)),
      ],
    )

    expect(rows?.map(({ event }) => event)).toEqual([
      {
        event: 'connect',
        time: expect.any(String),
        ktime_ns: '10',
        interval_ns: 10,
        rport: 443,
        count: 100,
        duration_sum_ns: '250000',
        duration_avg_ns: 2500,
        duration_p50_ns: 2048,
        duration_p90_ns: 4096,
        duration_p99_ns: 4096,
      },
      expect.objectContaining({
        rport: 22,
        count: 2,
        duration_avg_ns: 1500,
        duration_p99_ns: 2048,
      }),
    ])
  })

  test('says what happened since the one before', () => {
    const [, second, third] = rowsOf(
      ['rport'],
      [count('22', 2), sum('22', 10), ...histogram('22', bucket('[4, 8)', 2))],
      [
        count('22', 5),
        sum('22', 110),
        ...histogram('22', bucket('[4, 8)', 2), bucket('[32, 64)', 3)),
      ],
      [count('22', 5), sum('22', 110)],
    )

    expect(second?.map(({ event }) => event)).toMatchObject([
      { count: 3, duration_sum_ns: '100', duration_avg_ns: 33, duration_p50_ns: 64 },
    ])
    expect(third).toEqual([])
  })

  test('keeps what was printed before the count of its event: that comes with the next one', () => {
    const [first, second] = rowsOf(
      ['rport'],
      [sum('22', 10), ...histogram('22', bucket('[8, 16)', 1))],
      [count('22', 1), sum('22', 10), ...histogram('22', bucket('[8, 16)', 1))],
    )

    expect(first).toEqual([])
    expect(second?.map(({ event }) => event)).toMatchObject([
      { count: 1, duration_sum_ns: '10', duration_p50_ns: 16 },
    ])
  })

  test('shows addresses, enums, results and texts as events do', () => {
    const groups = groupsBy('raddr', 'result', 'comm')
    const aggregates = createAggregates(token, groups)
    const rows = createGroupRows(
      groups,
      { clock: { offsetNs: 0n }, containers: noContainers },
      null,
    )
    for (const [id, text] of [
      ['77', 'curl'],
      ['78', 'curl'],
    ] as const)
      rows.text(2, id, { event: 'text2', id, text })
    rows.text(2, String(2n ** 63n + 5n), { event: 'text2', text: 'x\\xff', escaped: ['text'] })
    const large = -(2n ** 63n) + 5n
    aggregates.line(count('0, 0, 4294901760, 16777343, 0, 77', 4))
    aggregates.line(count('0, 0, 4294901760, 16777343, 0, 78', 3))
    aggregates.line(count(`0, 0, 0, 16777216, -111, ${large}`, 1))

    expect(rows.rows(aggregates.take(), 1n, 0n).map(({ event }) => event)).toMatchObject([
      { raddr: '127.0.0.1', result: { code: 0, name: 'OK' }, comm: 'curl', count: 7 },
      {
        raddr: '::1',
        result: { code: -111, name: 'ECONNREFUSED' },
        comm: 'x\\xff',
        escaped: ['comm'],
        count: 1,
      },
    ])
  })

  test('has what is derived from a key: families by their number, cgroups of one container together', () => {
    const groups = groupsBy('container', 'family')
    const aggregates = createAggregates(token, groups)
    const names = new Map([
      ['7001', 'web'],
      ['7002', 'web'],
    ])
    const containers = { nameOf: (cgroup: string) => names.get(cgroup) ?? null }
    const rows = createGroupRows(groups, { clock: { offsetNs: 0n }, containers }, null)
    aggregates.line(count('7001, 4', 4))
    aggregates.line(count('7002, 4', 3))
    aggregates.line(count('7001, 6', 2))
    aggregates.line(count('1, 0', 1))

    expect(rows.rows(aggregates.take(), 1n, 0n).map(({ event }) => event)).toMatchObject([
      { container: 'web', family: 4, count: 7 },
      { container: 'web', family: 6, count: 2 },
      { container: null, family: null, count: 1 },
    ])
  })

  test('leaves out groups that are not wanted, and does not show the key that told so', () => {
    const groups = groupsBy('family', 'container').map((group) => ({
      ...group,
      hidden: ['container'],
    }))
    const aggregates = createAggregates(token, groups)
    const names = new Map([
      ['7001', 'web'],
      ['7002', 'web-2'],
    ])
    const refused: [string, number][] = []
    const containers = { nameOf: (cgroup: string) => names.get(cgroup) ?? null }
    const judge = {
      isWanted: ({ container }: AnyEvent) => container !== null,
      refused: (type: string, times: number) => void refused.push([type, times]),
    }
    const rows = createGroupRows(groups, { clock: { offsetNs: 0n }, containers, judge }, null)
    aggregates.line(count('4, 7001', 4))
    aggregates.line(count('4, 7002', 3))
    aggregates.line(count('6, 7001', 2))
    aggregates.line(count('4, 1', 5))
    const shown = rows.rows(aggregates.take(), 1n, 0n).map(({ event }) => event)

    expect(shown).toMatchObject([
      { family: 4, count: 7 },
      { family: 6, count: 2 },
    ])
    expect(shown.some((event) => Object.hasOwn(event, 'container'))).toBe(false)
    expect(refused).toEqual([[groups[0]?.event, 5]])
  })

  test('has null for a text that there is none of, and does not wait for it', () => {
    const [rows] = rowsOf(['comm'], [count('0', 3)])

    expect(rows?.map(({ event }) => [event['comm'], event['count']])).toEqual([[null, 3]])
  })

  test('waits with a group for its text, which may be announced later, and tells it at the end at the latest', () => {
    const groups = groupsBy('comm')
    const aggregates = createAggregates(token, groups)
    const rows = createGroupRows(
      groups,
      { clock: { offsetNs: 0n }, containers: noContainers },
      null,
    )
    const shown = (made: ReturnType<typeof rows.rows>) =>
      made.map(({ event }) => [event['comm'], event['count']])
    const dump = (ktime: bigint, ...lines: readonly string[]) => {
      for (const line of lines) aggregates.line(line)
      return shown(rows.rows(aggregates.take(), ktime, 0n))
    }
    const second = 1_000_000_000n
    rows.text(0, '1', { event: 'text0', text: 'curl' })

    expect(dump(second, count('1', 4), count('2', 3))).toEqual([['curl', 4]])
    rows.text(0, '2', { event: 'text0', text: 'wget' })
    expect(dump(2n * second, count('1', 4), count('2', 5), count('3', 7))).toEqual([['wget', 5]])
    // Lost: after five seconds nobody waits any more.
    expect(dump(7n * second, count('2', 5), count('3', 8))).toEqual([])
    expect(dump(8n * second, count('2', 5), count('3', 9), count('4', 6))).toEqual([[null, 9]])
    rows.text(0, '4', { event: 'text0', text: 'nc' })
    expect(shown(rows.rest())).toEqual([['nc', 6]])
    expect(rows.rest()).toEqual([])
  })

  test.each([
    ['bytes where there are bytes', undefined, [443, 22]],
    ['how many', 'count', [22, 443]],
    ['one quantity', 'sent', [22, 443]],
    ['the other', 'received', [443, 22]],
  ])('is ordered by %s', (_, sort, ports) => {
    const bytes = { kind: 'u64', measure: true, doc: 'bytes' } as const
    const fields = { rport: socket.rport, sent: bytes, received: bytes }
    const groups = groupLayouts(layoutsOfProbe({ move: { doc: '', fields, table: [] } }), ['rport'])
    const aggregates = createAggregates(token, groups)
    const lines = [count('22', 9), count('443', 1), sum('22', 10), sum('443', 9)]
    for (const line of [...lines, `@a_${token}_0_1[443]: 2`]) aggregates.line(line)

    const rows = createGroupRows(
      groups,
      { clock: { offsetNs: 0n }, containers: noContainers },
      null,
      sort,
    ).rows(aggregates.take(), 1n, 0n)
    expect(rows.map(({ event }) => event['rport'])).toEqual(ports)
  })

  test('is in one order over all event types where a figure was asked for', () => {
    const fields = { rport: socket.rport }
    const two = { open: { doc: '', fields, table: [] }, close: { doc: '', fields, table: [] } }
    const groups = groupLayouts(layoutsOfProbe(two), ['rport'])
    const shown = (sort: string | null) => {
      const aggregates = createAggregates(token, groups)
      for (const [type, key, value] of [
        [0, 22, 1],
        [0, 443, 5],
        [1, 22, 3],
      ])
        aggregates.line(`@s_${token}_${type}[${key}]: ${value}`)
      return createGroupRows(
        groups,
        { clock: { offsetNs: 0n }, containers: noContainers },
        null,
        sort,
      )
        .rows(aggregates.take(), 1n, 0n)
        .map(({ type, count: many }) => [type, many])
    }

    const [open, close] = [groups[0]?.event, groups[1]?.event]
    expect(shown(null)).toEqual([
      [open, 5],
      [open, 1],
      [close, 3],
    ])
    expect(shown('count')).toEqual([
      [open, 5],
      [close, 3],
      [open, 1],
    ])
  })

  test('without keys is one row', () => {
    const [rows] = rowsOf(
      [],
      [`@s_${token}_0: 7`, `@a_${token}_0_0: 70`, `@h_${token}_0_0: `, bucket('[8, 16)', 7)],
    )

    expect(rows?.map(({ event }) => event)).toMatchObject([
      { count: 7, duration_sum_ns: '70', duration_avg_ns: 10, duration_p50_ns: 16 },
    ])
  })

  test('reads a negative number also where bpftrace 0.27 prints it without its sign', () => {
    const [rows] = rowsOf(['result'], [count('18446744073709551505', 3), count('-110', 2)])

    expect(rows?.map(({ event }) => event['result'])).toEqual([
      { code: -111, name: 'ECONNREFUSED' },
      { code: -110, name: 'ETIMEDOUT' },
    ])
  })

  test('has buckets with bounds that are powers of two, exact', () => {
    const groups = groupsBy()
    const aggregates = createAggregates(token, groups)
    const rows = createGroupRows(
      groups,
      { clock: { offsetNs: 0n }, containers: noContainers },
      'duration_ns',
    )
    const lines = [
      `@s_${token}_0: 6`,
      `@h_${token}_0_0: `,
      bucket('(..., 0)', 1),
      bucket('[0]', 1),
      bucket('[1]', 1),
      bucket('[2, 4)', 1),
      bucket('[512K, 1M)', 1),
      bucket('[4T, 8T)', 1),
    ]
    for (const line of lines) aggregates.line(line)

    expect(rows.rows(aggregates.take(), 1n, 0n)[0]?.event['buckets']).toEqual([
      { ge: null, lt: 0, count: 1 },
      { ge: 0, lt: 1, count: 1 },
      { ge: 1, lt: 2, count: 1 },
      { ge: 2, lt: 4, count: 1 },
      { ge: 2 ** 19, lt: 2 ** 20, count: 1 },
      { ge: 2 ** 42, lt: 2 ** 43, count: 1 },
    ])
  })
})

describe('a linear histogram', () => {
  const linear = { min: -10, max: 20, step: 10 }
  const groups = (...by: string[]) =>
    groupsBy(...by).map((group) => ({
      ...group,
      measures: group.measures.map((measure) => ({ ...measure, linear })),
    }))
  const bucketsOf = (by: readonly string[], lines: readonly string[]) => {
    const own = groups(...by)
    const aggregates = createAggregates(token, own)
    const rows = createGroupRows(
      own,
      { clock: { offsetNs: 0n }, containers: noContainers },
      'duration_ns',
    )
    for (const line of lines) expect([line, aggregates.line(line)]).toEqual([line, true])
    const made = rows.rows(aggregates.take(), 1n, 0n)
    return { made: made.map(({ event }) => event), unplaced: aggregates.unplaced() }
  }

  test('has a bucket for each count, open ones for what lies outside, and all in order', () => {
    const { made } = bucketsOf(
      [],
      [
        `@s_${token}_0: 19`,
        `@h_${token}_0_0[4]: 9`,
        `@h_${token}_0_0[0]: 1`,
        `@h_${token}_0_0[3]: 7`,
        `@h_${token}_0_0[1]: 2`,
      ],
    )

    expect(made[0]?.['buckets']).toEqual([
      { ge: null, lt: -10, count: 1 },
      { ge: -10, lt: 0, count: 2 },
      { ge: 10, lt: 20, count: 7 },
      { ge: 20, lt: null, count: 9 },
    ])
  })

  test('belongs to the group that stands before the number of its bucket', () => {
    const { made } = bucketsOf(
      ['rport'],
      [
        count('22', 3),
        count('443', 2),
        `@h_${token}_0_0[22, 2]: 3`,
        `@h_${token}_0_0[443, 2]: 1`,
        `@h_${token}_0_0[443, 4]: 1`,
      ],
    )

    expect(made).toMatchObject([
      { rport: 22, buckets: [{ ge: 0, lt: 10, count: 3 }] },
      {
        rport: 443,
        buckets: [
          { ge: 0, lt: 10, count: 1 },
          { ge: 20, lt: null, count: 1 },
        ],
      },
    ])
  })

  test('says how many values found no room in the map of the buckets', () => {
    const lines = [count('22', 3), count('443', 2), `@h_${token}_0_0[22, 2]: 2`]

    expect(bucketsOf(['rport'], [...lines, `@v_${token}_0_0: 5`]).unplaced).toBe(3)
    expect(bucketsOf(['rport'], lines).unplaced).toBe(0)
  })
})

describe('a line that is no map of ours', () => {
  test.each([
    '@s_0000000000000000_0[22]: 5',
    `@s_${token}_1[22]: 5`,
    `@s_${token}_0[22; 23]: 5`,
    `@s_${token}_0[curl]: 5`,
    `x@s_${token}_0[22]: 5`,
    '[1K, 2K)        3 |@@@@      |',
    'Lost 9 events',
    '',
  ])('%j is left alone', (line) => {
    const aggregates = createAggregates(token, groupsBy('rport'))

    expect(aggregates.line(line)).toBe(false)
    expect(aggregates.take().size).toBe(0)
  })
})

describe('a grouping', () => {
  test('names what can be a key when one cannot', () => {
    expect(() => groupsBy('nosuch')).toThrow(/cannot be grouped by 'nosuch'/)
    expect(() => groupsBy('duration_ns')).toThrow(/cannot be grouped/)
    expect(() => groupsBy(...'abcdefgh')).toThrow(/at most 7/)
  })

  test('has no list for a key: its number on the wire is that of its parts', () => {
    const layouts = layoutsOfProbe({ listing })

    expect(() => groupLayouts(layouts, ['argv'])).toThrow(/cannot be grouped by 'argv'/)
  })

  test('reads the end of a dump, and one record a text key', () => {
    const { layouts: records } = recordsOfGroups(groupsBy('rport', 'comm'))

    expect(records.map(({ code, event }) => [code, event])).toEqual([
      ['7', 'dump'],
      ['1', 'text1'],
    ])
  })
})
