import { describe, expect, it } from 'vitest'
import { type AttachPointList, listBytes, listOf } from '../../src/host/attach-point-cache.ts'

import { parseBlacklist } from '../../src/host/blacklist.ts'
import { no, unknown, yes } from '../../src/host/fact.ts'
import { type HookableSources, judgeHookable, obstacleOf } from '../../src/host/hookable.ts'

/** From /proc/kallsyms of a 6.18 kernel, with one line of a module. */
const symbols = `ffffffff820865a0 T tcp_connect
ffffffff8121437c t __do_sys_remap_file_pages.cold
ffffffff8121703f t do_vfs_ioctl.cold
ffffffff81216d9d t vfs_get_tree.cold
ffffffff8208f660 T __pfx_tcp_v4_connect
ffffffff8208f670 T tcp_v4_connect
ffffffffc0a01230 t nf_nat_setup_info\t[nf_nat]
`

/** As kernel/kprobes.c prints it (kprobe_blacklist_seq_show). */
const blacklist = `0xffffffff81a00010-0xffffffff81a00020\tasm_exc_int3
0xffffffff81039f50-0xffffffff81039fe0\tdo_int3
`

function listed(
  kprobe: readonly string[],
  fentry: readonly string[] = [],
  gaps: AttachPointList['gaps'] = {},
): AttachPointList {
  const names = { tracepoint: [], rawtracepoint: [], kprobe, fentry, syscall: [] }
  return listOf(listBytes({ names, gaps, repeated: ['init_once', 'paravirt_read_msr'] }))
}

const machine: HookableSources = {
  list: listed(['nf_nat:nf_nat_setup_info', 'tcp_connect', 'tcp_send_ack.part.0'], ['tcp_connect']),
  symbols: () => ({ text: symbols }),
  blacklist: { text: blacklist },
  config: () => ({ errno: 'ENOENT' }),
  kprobes: yes('/sys/bus/event_source/devices/kprobe is there'),
  fentry: yes('available_filter_functions opens'),
  inBtf: true,
}
const judge = (name: string, other: Partial<HookableSources> = {}, module: string | null = null) =>
  judgeHookable({ name, module }, { ...machine, ...other })
const about = (which: string, judged: ReturnType<typeof judge>) =>
  judged.findings.find((finding) => finding.about === which)?.fact

describe('judgeHookable', () => {
  it('says that a function with a symbol that is traceable can be hooked, without reading the symbols', () => {
    const judged = judge('tcp_connect', {
      symbols() {
        throw new Error('read')
      },
    })

    expect(judged.hookable).toEqual(yes('by fentry'))
    expect(judged.findings.every(({ fact }) => fact.is === 'yes')).toBe(true)
    expect(obstacleOf('kprobe', judged)).toBeNull()
  })

  it('says that there is no symbol, and that BTF still has the signature', () => {
    const judged = judge('tcp_gone')

    expect(judged.hookable.is).toBe('no')
    expect(judged.hookable.evidence).toContain('inlined everywhere')
    expect(judged.hookable.evidence).toContain('BTF still has')
    expect(judge('tcp_gone', { inBtf: false }).hookable.evidence).not.toContain('BTF')
    expect(judge('tcp_conn').hookable.is).toBe('no')
  })

  it('names the parts that the compiler made, and whether they are traceable', () => {
    expect(judge('tcp_send_ack').parts).toEqual([
      { name: 'tcp_send_ack.part.0', hookable: yes('available_filter_functions has it') },
    ])
    expect(judge('vfs_get_tree').parts).toEqual([
      { name: 'vfs_get_tree.cold', hookable: no('available_filter_functions has it not') },
    ])
  })

  it('says notrace of a symbol that is not traceable: no fentry, a kprobe by how the kernel was built', () => {
    const judged = judge('tcp_v4_connect')

    expect(about('traceable', judged)?.is).toBe('no')
    expect(about('traceable', judged)?.evidence).toContain('notrace')
    expect(about('kprobe without trace', judged)?.is).toBe('unknown')
    expect(obstacleOf('fentry', judged)?.is).toBe('no')
    expect(obstacleOf('kprobe', judged)).toBeNull()
    expect(judged.hookable.is).toBe('unknown')
    expect(judged.hookable.evidence).toContain('CONFIG_KPROBE_EVENTS_ON_NOTRACE')
    expect(judge('tcp_v4_connect', { kprobes: no('ENOENT') }).hookable.is).toBe('no')
  })

  it.each([
    ['CONFIG_KPROBE_EVENTS_ON_NOTRACE=y\n', 'yes'],
    ['# CONFIG_KPROBE_EVENTS_ON_NOTRACE is not set\n', 'no'],
  ])('knows from %j that a kprobe is possible there: %s', (text, is) => {
    const judged = judge('tcp_v4_connect', { config: () => ({ text }) })

    expect(judged.hookable.is).toBe(is)
    expect(obstacleOf('kprobe', judged) === null).toBe(is === 'yes')
  })

  it('says that the kernel refuses kprobes in what is blacklisted, and fentry still works', () => {
    const judged = judge('tcp_connect', { blacklist: { text: '0x1-0x2\ttcp_connect\n' } })

    expect(obstacleOf('kprobe', judged)).toMatchObject({ is: 'no' })
    expect(obstacleOf('fentry', judged)).toBeNull()
    expect(judged.hookable).toEqual(yes('by fentry'))
    expect([...parseBlacklist(blacklist)]).toEqual(['asm_exc_int3', 'do_int3'])
  })

  it('says that several functions have a name', () => {
    const list = listed(['init_once'])
    const judged = judge('init_once', { list, fentry: no('no BTF') })

    expect(about('unique', judged)?.is).toBe('unknown')
    expect(judged.hookable.is).toBe('unknown')
  })

  it('looks for a function of a module there', () => {
    expect(judge('nf_nat_setup_info', {}, 'nf_nat').hookable.is).toBe('yes')
    expect(judge('tcp_connect', {}, 'nf_nat').hookable.is).toBe('no')
    expect(about('module', judge('tcp_connect', {}, 'nf_nat'))?.evidence).toContain('not loaded')
  })

  it('says no where the kernel has neither, and does not look at a blacklist of kprobes that it has not', () => {
    const judged = judge('tcp_connect', { kprobes: no('kprobe: ENOENT'), fentry: no('no BTF') })

    expect(judged.hookable).toEqual(no('fentry: no BTF; kprobe: kprobe: ENOENT'))
    expect(about('not blacklisted', judged)).toBeUndefined()
  })

  it('says unknown where lists cannot be read', () => {
    const list = {
      ...machine.list,
      gaps: { kprobe: 'mounting it needs root; shown are the functions of /proc/kallsyms' },
    }
    const judged = judge('tcp_connect', {
      list,
      blacklist: { errno: 'EACCES' },
      fentry: unknown('could not be seen'),
    })

    expect(judged.hookable.is).toBe('unknown')
    expect(about('traceable', judged)).toEqual(unknown('mounting it needs root'))
    expect(about('not blacklisted', judged)?.evidence).toContain('EACCES')
    const hidden = judge('tcp_gone', { symbols: () => ({ errno: 'EPERM' }) })
    expect(hidden.hookable).toEqual(unknown('/proc/kallsyms: EPERM'))
  })
})
