import { describe, expect, it } from 'vitest'

import { no, yes } from '../../src/host/fact.ts'
import {
  judgeBtfFunctions,
  judgeFentry,
  judgeFunctions,
  judgeSymbols,
  judgeKprobes,
  type Mechanisms,
} from '../../src/host/functions.ts'
import { readFrom } from './fake-read.ts'

/** What the Debian kernels 6.1, 6.12 and 7.2 show to root. */
const debian12: Mechanisms = {
  btf: yes('/sys/kernel/btf/vmlinux'),
  lockdown: no('[none] integrity confidentiality'),
  types: {
    functions: { bpf_trampoline_link_prog: true, register_ftrace_direct: true },
    members: { 'ftrace_direct_func.addr': null },
  },
  filterFunctions: 'readable',
  kprobeEvents: true,
}
/** Debian 11: its BTF has no function of kernel/trace, but the struct that direct calls use. */
const debian11: Mechanisms = {
  ...debian12,
  types: {
    functions: { bpf_trampoline_link_prog: true, register_ftrace_direct: false },
    members: { 'ftrace_direct_func.addr': { offset: 16, size: 8, signed: false, length: 0 } },
  },
}
const machine = readFrom({
  '/sys/bus/event_source/devices/kprobe/type': '8\n',
  '/sys/bus/event_source/devices/software/type': '1\n',
  '/proc/sys/kernel/ftrace_enabled': '1\n',
})
const without = readFrom({ '/sys/bus/event_source/devices/software/type': '1\n' })

describe('judgeFentry', () => {
  it('says yes for Debian 11 and for Debian 12 and later', () => {
    expect(judgeFentry(machine, debian12).is).toBe('yes')
    expect(judgeFentry(machine, debian11).is).toBe('yes')
  })

  it('says no where the kernel refuses its list of functions, and quotes it', () => {
    const refusing = { ...debian12, filterFunctions: 'EPERM' }

    expect(judgeFentry(machine, refusing)).toMatchObject({
      is: 'no',
      evidence: expect.stringContaining('available_filter_functions: EPERM'),
    })
  })

  it('says no without BTF, trampolines or direct calls, under lockdown and when switched off', () => {
    const none = { bpf_trampoline_link_prog: false, register_ftrace_direct: false }
    const { types: old } = debian11
    const indirect = { functions: old?.functions ?? {}, members: {} }

    expect(judgeFentry(machine, { ...debian12, btf: no('ENOENT'), types: null }).is).toBe('no')
    expect(judgeFentry(machine, { ...debian12, types: { functions: none, members: {} } }).is).toBe(
      'no',
    )
    expect(judgeFentry(machine, { ...debian12, types: indirect }).is).toBe('no')
    expect(judgeFentry(machine, { ...debian12, lockdown: yes('[confidentiality]') }).is).toBe('no')
    expect(judgeFentry(readFrom({ '/proc/sys/kernel/ftrace_enabled': '0\n' }), debian12).is).toBe(
      'no',
    )
  })

  it('does not know where tracefs cannot be looked into', () => {
    expect(judgeFentry(machine, { ...debian12, filterFunctions: null }).is).toBe('unknown')
  })
})

describe('judgeKprobes', () => {
  it('says yes by the perf device or by kprobe_events', () => {
    expect(judgeKprobes(machine, { ...debian12, kprobeEvents: null }).is).toBe('yes')
    expect(judgeKprobes(without, debian12).is).toBe('yes')
  })

  it('says no when neither is there, under lockdown and when switched off', () => {
    const off = readFrom({ '/sys/kernel/debug/kprobes/enabled': '0\n' })

    expect(judgeKprobes(without, { ...debian12, kprobeEvents: false }).is).toBe('no')
    expect(judgeKprobes(machine, { ...debian12, lockdown: yes('[confidentiality]') }).is).toBe('no')
    expect(judgeKprobes(off, debian12).is).toBe('no')
  })

  it('does not know without sysfs', () => {
    expect(judgeKprobes(readFrom({}), { ...debian12, kprobeEvents: null }).is).toBe('unknown')
  })
})

describe('judgeSymbols', () => {
  const symbols = `ffffffff82a00000 B avenrun
ffffffff82a00010 T a_function
ffffffff82a00020 d twice
ffffffff82a00030 b twice
0000000000000000 D hidden
ffffffff82a00040 D xpart
ffffffff82a00050 D of_module\t[nf]
`
  const kallsyms = () => ({ bytes: Buffer.from(symbols) })
  const judged = (name: string) => judgeSymbols([name], kallsyms)[name]

  it('finds the only variable of that name', () => {
    expect(judged('avenrun')).toEqual({
      is: 'yes',
      evidence: '/proc/kallsyms has the variable avenrun',
    })
  })

  it('says no for functions, several, hidden ones, parts of names and those of modules', () => {
    for (const name of ['a_function', 'twice', 'hidden', 'part', 'of_module'])
      expect(judged(name)?.is).toBe('no')
    expect(judged('twice')?.evidence).toContain('several')
    expect(judged('hidden')?.evidence).toContain('hides')
  })

  it('cannot tell what it cannot read, and reads nothing that nobody asked for', () => {
    expect(judgeSymbols(['avenrun'], () => ({ errno: 'EACCES' }))['avenrun']?.is).toBe('unknown')
    expect(
      judgeSymbols([], () => {
        throw new Error('read')
      }),
    ).toEqual({})
  })
})

describe('judgeFunctions', () => {
  const types = {
    functions: { tcp_connect: true, tcp_v4_syn_recv_sock: true },
    members: {},
    argumentCounts: { tcp_connect: 1, tcp_v4_syn_recv_sock: 7 },
  }
  const symbols = `0000 T tcp_connect\n0000 t nf_thing\t[nf]\n0000 D a_variable\n0000 t xtcp_v4_connect\n`
  const sources = {
    types,
    kallsyms: () => ({ bytes: Buffer.from(symbols) }),
    blacklist: { text: '0x0-0x1\tdo_int3\n' },
  }

  it('finds functions in BTF, then in kallsyms, modules included', () => {
    const facts = judgeFunctions(['tcp_connect', 'nf_thing'], sources)

    expect(facts['tcp_connect']?.is).toBe('yes')
    expect(facts['nf_thing']).toMatchObject({
      is: 'yes',
      evidence: expect.stringContaining('module'),
    })
    expect(judgeBtfFunctions(['nf_thing'], types)['nf_thing']?.is).toBe('no')
  })

  it('says no to fentry where there are more arguments than bpftrace hooks', () => {
    const facts = judgeBtfFunctions(['tcp_connect', 'tcp_v4_syn_recv_sock'], types)

    expect(facts['tcp_connect']?.is).toBe('yes')
    expect(facts['tcp_v4_syn_recv_sock']).toMatchObject({
      is: 'no',
      evidence: expect.stringContaining('7 arguments'),
    })
  })

  it('says no for variables, parts of names, absent names and what kprobes must not touch', () => {
    const facts = judgeFunctions(['a_variable', 'tcp_v4_connect', 'nope', 'do_int3'], sources)

    expect(Object.values(facts).map((fact) => fact.is)).toEqual(['no', 'no', 'no', 'no'])
  })

  it('does not read kallsyms when BTF has every name', () => {
    const unread = () => {
      throw new Error('read')
    }

    expect(
      judgeFunctions(['tcp_connect'], { ...sources, kallsyms: unread })['tcp_connect']?.is,
    ).toBe('yes')
  })

  it('does not know when kallsyms cannot be read', () => {
    const facts = judgeFunctions(['nope'], { ...sources, kallsyms: () => ({ errno: 'EACCES' }) })

    expect(facts['nope']?.is).toBe('unknown')
  })
})
