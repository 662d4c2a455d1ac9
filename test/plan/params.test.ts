import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Names } from '../../src/host/names.ts'
import { flagsOf, parseFilters, splitList } from '../../src/plan/params.ts'
import execsnoop from '../../probes/execsnoop/probe.ts'
import exitsnoop from '../../probes/exitsnoop/probe.ts'
import opensnoop from '../../probes/opensnoop/probe.ts'
import tcpstates from '../../probes/tcpstates/probe.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { errorOf } from '../error-of.ts'
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

const opens: ProbeSpec = opensnoop
const choicesOf = (spec: ProbeSpec, flag: string, text: string) => {
  const [filter] = parseFilters(spec, { [flag]: [text] }, null, {
    ...noNames,
    namespace: (_, name) => (name.startsWith('/') ? 4_026_531_840 : 'no inode and no path'),
  })
  if (filter === undefined || !('choices' in filter)) throw new Error('no filter')
  return [filter.by, filter.field, filter.choices.map(({ negated, value }) => [negated, value])]
}

describe('values by name', () => {
  it.each([
    [
      'flags',
      'O_CREAT|O_TRUNC,!o_cloexec',
      opens,
      'bits',
      'flags',
      [
        [false, { mask: 576, value: 576 }],
        [true, { mask: 524_288, value: 524_288 }],
      ],
    ],
    ['flags', 'NONE', opens, 'bits', 'flags', [[false, { mask: 4_294_967_295, value: 0 }]]],
    ['access', 'read-write', opens, 'number', 'access', [[false, { min: 2, max: 2 }]]],
    [
      'errno',
      'enoent,13,5-7,!0-1',
      opens,
      'number',
      'result',
      [
        [false, { min: -2, max: -2 }],
        [false, { min: -13, max: -13 }],
        [false, { min: -7, max: -5 }],
        [true, { min: -1, max: -1 }],
      ],
    ],
    [
      'mntns',
      '/proc/1/ns/mnt,!4026531841',
      opens,
      'task',
      'mntns',
      [
        [false, { min: 4_026_531_840, max: 4_026_531_840 }],
        [true, { min: 4_026_531_841, max: 4_026_531_841 }],
      ],
    ],
    ['ppid', '1-5', opens, 'task', 'ppid', [[false, { min: 1, max: 5 }]]],
    ['ppid', '1', exitsnoop, 'number', 'ppid', [[false, { min: 1, max: 1 }]]],
    ['errno', 'EACCES', execsnoop, 'number', 'ret', [[false, { min: -13, max: -13 }]]],
    ['new-state', 'close', tcpstates, 'number', 'new_state', [[false, { min: 7, max: 7 }]]],
  ] as const)('--%s %s', (flag, text, spec, ...expected) => {
    expect(choicesOf(spec, flag, text)).toEqual(expected)
  })

  it.each([
    ['flags', 'O_CREAT|O_RDONLY', opens, "'O_WRONLY|O_RDWR'"],
    ['flags', 'O_CREAT|', opens, "'O_WRONLY|O_RDWR'"],
    ['access', 'append', opens, '--access read'],
    ['errno', 'ENOFOO', opens, '--errno ENOENT'],
    ['errno', '-2', opens, '--errno ENOENT'],
    ['errno', '0', opens, '--ok'],
    ['mntns', 'web', opens, '/proc/self/ns/mnt'],
    ['pidns', '4294967296', opens, 'lsns -t pid'],
    ['filename', '(', opens, 'backslash'],
    ['exit-code', '256', exitsnoop, '--exit-code 255'],
  ] as const)('--%s %s is refused with a remedy', (flag, text, spec, remedy) => {
    expect(errorOf(() => choicesOf(spec, flag, text))).toMatchObject({
      code: 'BAD_VALUE',
      remedy: expect.stringContaining(remedy),
    })
  })
})

describe('what is asked of the task alone', () => {
  it.each([
    ['opensnoop', ['ppid', 'mntns', 'pidns', 'netns']],
    ['exitsnoop', ['mntns', 'pidns', 'netns']],
    ['tcptop', ['ppid', 'mntns', 'pidns']],
    ['tcplife', []],
    ['runqlat', []],
    ['biolatency', []],
  ])(
    'is offered where events happen in the task and do not carry it: %s',
    async (name, expected) => {
      const { spec: own } = await loadProbe(name)
      expect(flagsOf(own).flatMap(({ flag, ofTask }) => (ofTask ? [flag] : []))).toEqual(expected)
    },
  )
})
