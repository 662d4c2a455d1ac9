import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Names } from '../../src/host/names.ts'
import { parseFilters, splitList } from '../../src/plan/params.ts'
import { handmadeProbe, noNames } from './handmade-probe.ts'

const { spec } = handmadeProbe()

/** The names that a --comm filter accepts and refuses, as it was typed. */
function commsOf(typed: string) {
  const [filter] = parseFilters(spec, { comm: [typed] }, null, noNames)
  if (filter?.by !== 'text') throw new Error('no filter on a text')
  return filter.choices.map(({ negated, value }) => [negated, Buffer.from(value).toString()])
}

describe('a list of command names', () => {
  it.each([
    [String.raw`a\,b`, [[false, 'a,b']]],
    [
      String.raw`\,,b`,
      [
        [false, ','],
        [false, 'b'],
      ],
    ],
    [String.raw`\!a`, [[false, '!a']]],
    [String.raw`!\!a`, [[true, '!a']]],
    [String.raw`a\!b`, [[false, 'a!b']]],
    ['a!b', [[false, 'a!b']]],
    [
      String.raw`a\\,b`,
      [
        [false, 'a\\'],
        [false, 'b'],
      ],
    ],
    [String.raw`a\\\,b`, [[false, 'a\\,b']]],
    [String.raw`a\b`, [[false, 'a\\b']]],
    ['a\\', [[false, 'a\\']]],
    [
      'a,!b',
      [
        [false, 'a'],
        [true, 'b'],
      ],
    ],
  ])('takes a backslash before a comma, a ! or a backslash as an escape: %s', (typed, names) => {
    expect(commsOf(typed)).toEqual(names)
  })

  it('can hold every name', () => {
    const names = fc.string({
      unit: fc.constantFrom('a', ',', '!', '\\', '"'),
      minLength: 1,
      maxLength: 7,
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), names), { minLength: 1 }), (wanted) => {
        const typed = wanted.map(([negated, name]) => `${negated ? '!' : ''}${escaped(name)}`)

        expect(commsOf(typed.join(','))).toEqual(wanted)
      }),
    )
  })
})

function escaped(name: string): string {
  return name.replaceAll(/[,!\\]/g, String.raw`\$&`)
}

describe('a list of anything else', () => {
  it('has no escapes', () => {
    expect(splitList(String.raw`1\,2`, false).map(({ text }) => text)).toEqual(['1\\', '2'])
    expect(() => parseFilters(spec, { rport: [String.raw`\!22`] }, null, noNames)).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE' }),
    )
  })
})

describe('a signal', () => {
  const signal = { kind: 'enum', names: {}, doc: '' } as const
  const probe = {
    ...spec,
    events: { thing: { doc: '', fields: { signal }, table: [] } },
  } as const
  const ranges = (typed: string) => {
    const [filter] = parseFilters(probe, { signal: [typed] }, null, noNames)
    if (filter?.by !== 'number') throw new Error('no filter on a number')
    return filter.choices.map(({ negated, value: { min, max } }) => [negated, min, max])
  }

  it('is taken by name, with or without SIG, and by number', () => {
    expect(ranges('TERM,SIGKILL,!int,rtmin+3,SIGRTMAX')).toEqual([
      [false, 15, 15],
      [false, 9, 9],
      [true, 2, 2],
      [false, 37, 37],
      [false, 64, 64],
    ])
    expect(ranges('0,34-64')).toEqual([
      [false, 0, 0],
      [false, 34, 64],
    ])
  })

  it.each(['65', 'SIG', 'TERMINATE', '', 'SIGSIGTERM', '9-2'])('is refused: %s', (typed) => {
    expect(() => ranges(typed)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }))
  })
})

describe('a cgroup', () => {
  const asked: string[] = []
  const names: Names = {
    ...noNames,
    cgroup(path) {
      asked.push(path)
      return 7n
    },
  }
  const parse = (path: string) => parseFilters(spec, { cgroup: [path] }, null, names)

  it.each([
    ['..', 'without ..'],
    ['system.slice/../..', 'without ..'],
    ['/sys/fs/cgroup/../../../etc', 'without ..'],
    ['!a/../b', 'without ..'],
    ['/sys/fs/cgroups', 'below /sys/fs/cgroup'],
    ['/sys/kernel', 'below /sys/fs/cgroup'],
    ['/proc/1', 'below /sys/fs/cgroup'],
  ])('is refused when its path leaves the mount: %s', (path, expected) => {
    asked.length = 0

    expect(() => parse(path)).toThrow(
      expect.objectContaining({
        code: 'BAD_VALUE',
        expected: expect.stringContaining(expected),
        remedy: expect.stringContaining('/proc/PID/cgroup'),
      }),
    )
    expect(asked).toEqual([])
  })

  it.each(['system.slice', '/system.slice', '/sys/fs/cgroup/a', '/sys/fs/cgroup', 'a..b', '5'])(
    'is taken when its path does not: %s',
    (path) => {
      expect(parse(path)).toHaveLength(1)
    },
  )

  it('that is not there is refused with where it would have to be', () => {
    expect(() => parseFilters(spec, { cgroup: ['/etc'] }, null, noNames)).toThrow(
      expect.objectContaining({
        expected: 'the path of a cgroup below /sys/fs/cgroup, or an id',
        found: '"/etc"',
      }),
    )
  })
})
