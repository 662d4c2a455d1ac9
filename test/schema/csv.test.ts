import { describe, expect, test } from 'vitest'
import { csvColumns } from '../../src/schema/csv.ts'
import { connect, connects, execs, sockets } from '../sinks/helpers.ts'

describe('the columns of CSV', () => {
  test('are all fields, a result in two, then the marks', () => {
    expect(csvColumns(connects, null).map(({ header }) => header)).toEqual([
      'time',
      'ktime_ns',
      'pid',
      'tid',
      'cpu',
      'uid',
      'comm',
      'cgroup',
      'container',
      'raddr',
      'rport',
      'result_code',
      'result_name',
      'duration_ns',
      'escaped',
      'cut',
    ])
  })

  test('are the named fields and the marks when fields are chosen', () => {
    expect(csvColumns(execs, ['argv', 'pid']).map(({ header }) => header)).toEqual([
      'argv',
      'pid',
      'escaped',
      'cut',
    ])
  })

  test('begin with the event type where there are several', () => {
    expect(csvColumns(sockets, null).map(({ header }) => header)).toEqual([
      'event',
      'pid',
      'comm',
      'why',
      'escaped',
      'cut',
    ])
  })

  test('keep 64-bit values as they are', () => {
    const [cgroup] = csvColumns(connects, ['cgroup'])

    expect(cgroup?.cell(connect)).toBe('18446744073709551615')
  })

  test('leave both columns of a null result empty', () => {
    const cells = csvColumns(connects, ['result']).map((column) =>
      column.cell({ ...connect, result: null }),
    )

    expect(cells).toEqual([null, null, null, null])
  })
})
