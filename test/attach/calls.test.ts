import { describe, expect, it } from 'vitest'
import { defineCalls, mostFunctions, mostNumbered } from '../../src/attach/calls.ts'
import { hasLeftOut } from '../../src/backends/bpftrace.ts'
import { dialectVersions } from '../../src/plan/dialect.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { isAtLeast } from '../../src/plan/versions.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { parseAddresses } from '../../src/host/symbol-addresses.ts'

const nothing = { functions: [], tracepoints: [], user: [] }
const namesOf = (counted: Parameters<typeof defineCalls>[0]) =>
  defineCalls(counted, 'kprobe:x*').spec.events['call']?.fields['function']?.names

describe('counting calls', () => {
  it('tells functions by the low bits of where they begin, also where the call lies beyond the next 16 bytes', () => {
    const functions = [
      { name: 'even', address: 0xffff_ffff_8100_0040n },
      { name: 'late', address: 0xffff_ffff_8100_006dn },
    ]

    expect(namesOf({ ...nothing, functions })).toEqual({
      [0x8100_0040]: 'even',
      [0x8100_0060]: 'late',
      [0x8100_0070]: 'late',
    })
  })

  it('names none of two functions that share a place', () => {
    const functions = [
      { name: 'one', address: 0xffff_ffff_8100_0040n },
      { name: 'other', address: 0xffff_ffff_8100_0048n },
    ]

    expect(namesOf({ ...nothing, functions })).toEqual({})
  })

  it('names functions of user space by their files, and by their paths where two files have one name', () => {
    const user = [
      { path: '/usr/lib/libc.so.6', name: 'malloc' },
      { path: '/usr/lib/libc.so.6', name: 'free' },
      { path: '/usr/lib/libz.so.1', name: 'inflate' },
    ]
    const other = { path: '/opt/libc.so.6', name: 'malloc' }
    const shown = (some: typeof user): string[] =>
      Object.values(namesOf({ ...nothing, user: some }) ?? {})

    expect(shown(user)).toEqual(['libc.so.6:malloc', 'libc.so.6:free', 'libz.so.1:inflate'])
    expect(shown([...user, other])).toEqual([
      '/usr/lib/libc.so.6:malloc',
      '/usr/lib/libc.so.6:free',
      'libz.so.1:inflate',
      '/opt/libc.so.6:malloc',
    ])
  })

  it('has one program for all functions, and one for each tracepoint with its number', () => {
    const { templates, spec } = defineCalls(
      {
        functions: [
          { name: 'tcp_a', address: 0xffff_ffff_8100_0040n },
          { name: 'tcp_b', address: 0xffff_ffff_8100_0080n },
        ],
        tracepoints: ['sock:one', 'sock:other'],
        user: [],
      },
      'tcp_*',
    )

    expect(templates['calls']?.match(/\{\{emit call/g)).toHaveLength(3)
    expect(templates['calls']).toContain('kprobe:tcp_a,\nkprobe:tcp_b\n{')
    expect(templates['calls']).toMatch(/tracepoint:sock:other\n\{[^}]*function = \(uint64\)2/)
    expect(spec.variants[0]?.needs).toEqual([
      { function: 'tcp_a', by: 'kprobe' },
      { tracepoint: 'sock:one' },
      { tracepoint: 'sock:other' },
    ])
  })

  it.each(dialectVersions)(
    'lets bpftrace %s attach all functions of the kernel or none, so that none is left out in silence',
    (version) => {
      const functions = ['tcp_a', 'tcp_b'].map((name, index) => ({
        name,
        address: BigInt(4096 + index * 16),
      }))
      const probe = defineCalls({ ...nothing, functions }, 'tcp_*')
      const request = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }
      const plan = makePlan(probe, request, factsFor(probe, version))
      const text = plan.render(plan.placeholders)
      const canBeTold = isAtLeast(version, '0.21.0') && !isAtLeast(version, '0.24.0')

      expect(text.includes('config = { missing_probes = "error"; ')).toBe(canBeTold)
      // Where it cannot, and only warns, the warning is not silenced: the session fails of it.
      const warns = !isAtLeast(version, '0.21.0')
      expect(plan.dialect?.flags.includes('--no-warnings')).toBe(!warns)
      expect(plan.variant.attachPoints).toBe(2)
    },
  )

  it.each([
    ['Warning: could not attach probe kprobe:tcp_a, skipping.', true],
    ['WARNING: could not attach probe kprobe:tcp_a, skipping.', true],
    ['WARNING: Addrspace is not set', false],
    ['could not attach probe kprobe:tcp_a, skipping.', false],
  ])('knows what bpftrace says when it leaves one out: %s', (line, is) => {
    expect(hasLeftOut(line)).toBe(is)
  })

  it('refuses more than can be attached, with a remedy', () => {
    const functions = Array.from({ length: mostFunctions + 1 }, (_, index) => ({
      name: `f${index}`,
      address: BigInt(index * 16 + 4096),
    }))
    const tracepoints = Array.from({ length: mostNumbered + 1 }, (_, index) => `a:b${index}`)

    expect(() => defineCalls({ ...nothing, functions }, '*')).toThrow(/too much to count/)
    expect(() => defineCalls({ ...nothing, tracepoints }, '*')).toThrow(/too much to count/)
  })
})

describe('addresses of /proc/kallsyms', () => {
  const text = [
    'ffffffff81000040 T tcp_a',
    'ffffffff81000080 t twice',
    'ffffffff810000c0 t twice',
    'ffffffff81000100 D tcp_data',
    'ffffffffc0000040 t nf_a\t[nf_nat]',
    '0000000000000000 T hidden',
    '',
  ].join('\n')

  it('are those of functions with a name of their own that is asked for', () => {
    const names = new Set(['tcp_a', 'twice', 'tcp_data', 'nf_a', 'hidden'])

    expect([...parseAddresses(text, names)]).toEqual([
      ['tcp_a', 0xffff_ffff_8100_0040n],
      ['nf_a', 0xffff_ffff_c000_0040n],
    ])
  })
})
