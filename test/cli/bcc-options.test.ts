import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { attachPointOptions, traceOptions } from '../../src/commands/commands.ts'
import { callsOptions } from '../../src/commands/calls-target.ts'
import { optionsOf, type RunOption, runOptions } from '../../src/commands/options.ts'
import { bccHint } from '../../src/commands/bcc-options.ts'

/**
 * Every option of the tools, from argparse in bcc 0.18, 0.26, 0.31 and 0.37 as Debian 11, 12, 13 and sid have them, but `--help`.
 * Those behind `ours` have the name of an option of ours, which is what they are taken for.
 */
const tools: Readonly<Record<string, { readonly options: string; readonly ours?: string }>> = {
  biolatency: {
    options: 'T timestamp Q m milliseconds D disks F flags ebpf j json e extension disk',
    ours: 'd queued',
  },
  dns: { options: 'p ebpf', ours: 'pid' },
  execsnoop: {
    options:
      'T time t timestamp x fails cgroupmap mntnsmap u quote name l line U print-uid max-args ebpf P C print-cpu M print-pcomm',
    ours: 'q n uid ppid',
  },
  exitsnoop: {
    options: 't timestamp p label x per-thread ebpf timespec',
    ours: 'utc pid failed',
  },
  funccount: { options: 'p i T timestamp r regexp D debug c', ours: 'd pid interval duration cpu' },
  killsnoop: { options: 'x p s T ebpf', ours: 'failed pid signal tpid' },
  oomkill: { options: 'ebpf' },
  opensnoop: {
    options:
      'T timestamp U print-uid x p t cgroupmap mntnsmap u name e extended_fields f flag_filter F b buffer-pages exec ebpf',
    ours: 'd n failed pid tid uid duration full-path',
  },
  retrans: {
    options: 'l lossprobe c s sequence 4 ipv4 6 ipv6 ebpf',
    ours: 'count',
  },
  runqlat: { options: 'T timestamp m milliseconds P pids L tids p ebpf', ours: 'pid pidnss' },
  syscount: {
    options: 'p i T x failures e L latency m milliseconds P process l list t c exec ebpf',
    ours: 'd pid interval duration top errno tid ppid syscall',
  },
  tcpaccept: {
    options: 'T time t timestamp p P port cgroupmap mntnsmap 4 ipv4 6 ipv6 ebpf',
    ours: 'pid',
  },
  tcpcong: {
    options: 'L localport R remoteport T timestamp dist u microseconds ebpf',
    ours: 'd',
  },
  tcpconnect: {
    options: 't timestamp p P port U print-uid u c cgroupmap mntnsmap dns 4 ipv4 6 ipv6 L ebpf',
    ours: 'd pid uid count lport',
  },
  tcpconnlat: { options: 't timestamp p L 4 ipv4 6 ipv6 ebpf', ours: 'v pid lport verbose' },
  tcpdrop: { options: '4 ipv4 6 ipv6 netns-id pid-netns ebpf' },
  tcplife: {
    options: 'T time t timestamp w wide s csv p L localport D remoteport 4 ipv4 6 ipv6 ebpf',
    ours: 'pid',
  },
  tcprtt: {
    options:
      'i T timestamp m milliseconds p P a A b byladdr B byraddr D debug e extension 4 ipv4 6 ipv6 ebpf',
    ours: 'd interval duration lport rport laddr raddr',
  },
  tcpstates: {
    options:
      'T time t timestamp w wide s csv L localport D remoteport Y journal 4 ipv4 6 ipv6 ebpf',
  },
  tcpsynbl: { options: '4 ipv4 6 ipv6' },
  tcptop: { options: 'C noclear S nosummary p cgroupmap mntnsmap 4 ipv4 6 ipv6 ebpf', ours: 'pid' },
  tcptracer: {
    options: 't timestamp p N cgroupmap mntnsmap 4 ipv4 6 ipv6 ebpf',
    ours: 'v pid netns verbose',
  },
}

/** The options of what a word runs. */
async function optionsNamed(name: string): Promise<readonly RunOption[]> {
  if (name === 'funccount') return callsOptions()
  if (name === 'trace') return [...traceOptions, ...runOptions]
  return optionsOf((await loadProbe(name)).spec)
}

const words = (text = ''): readonly string[] => text.split(' ').filter((word) => word !== '')

describe.each(Object.entries(tools))(
  "the options of bcc's tool for %s",
  (probe, { options, ours }) => {
    it.each(words(options))(
      'each have a hint that names options of this probe: %s',
      async (option) => {
        const own = await optionsNamed(probe)
        const hint = bccHint(option, probe, own)
        const named = [...(hint ?? '').matchAll(/--([a-z-]+)/g)]
          .map(([, name]) => name)
          .filter((name) => name !== 'attach-points')

        expect(own.map(({ name, short }) => [name, short]).flat()).not.toContain(option)
        expect(hint).toMatch(/^\S.*\S$/)
        expect(own.map(({ name }) => name)).toEqual(expect.arrayContaining(named))
      },
    )

    it('are ours where they have the same name', async () => {
      const own = (await optionsNamed(probe)).flatMap(({ name, short }) => [name, short])

      expect(own).toEqual(expect.arrayContaining([...words(ours)]))
    })
  },
)

describe('a hint', () => {
  it.each([
    ['tcpaccept', 'P', '--lport 80'],
    ['tcpconnect', 'P', '--rport 443'],
    ['tcpconnect', 'L', 'the lport field'],
    ['tcpconnlat', 'L', 'the lport field'],
    ['tcpcong', 'L', '--lport 22'],
    ['tcpcong', 'R', '--rport 443'],
    ['tcplife', 'L', '--lport 22'],
    ['tcplife', 'D', '--rport 443'],
    ['tcplife', 's', '-o csv'],
    ['tcpstates', 's', '-o csv'],
    ['tcprtt', 'p', '--lport 80'],
    ['tcprtt', 'P', '--rport 443'],
    ['tcprtt', 'a', '--laddr'],
    ['tcprtt', 'A', '--raddr'],
    ['tcprtt', 'b', '--by laddr'],
    ['tcprtt', 'B', '--by raddr'],
    ['tcprtt', 'm', '--linear'],
    ['tcprtt', 'i', '--interval 1s'],
    ['tcptop', 'C', 'only on a terminal'],
    ['tcptop', 'S', 'load average'],
    ['execsnoop', 'P', '--ppid 1'],
    ['killsnoop', 'T', '--tpid 1'],
    ['killsnoop', 's', '--signal TERM'],
    ['opensnoop', 't', '--tid 1'],
    ['opensnoop', 'T', 'the time field'],
    ['syscount', 'T', '--top 5'],
    ['syscount', 'c', '--ppid 1'],
    ['syscount', 'P', '--by pid,comm'],
    ['syscount', 't', '--tid 1'],
    ['syscount', 'x', '--failed'],
    ['syscount', 'i', '--interval 1s'],
    ['runqlat', 'L', '--by tid'],
    ['runqlat', 'P', '--by pid'],
    ['funccount', 'c', '--by cpu'],
    ['funccount', 'i', '--interval 1s'],
    ['biolatency', 'D', '--by dev'],
    ['biolatency', 'F', '--by rwbs'],
    ['dns', 'l', '--libc'],
    ['exitsnoop', 'label', 'ndjson'],
    ['retrans', 'c', '--summary --by'],
    ['xdpcount', 'i', '--interface'],
    ['trace', 'K', '--stack'],
  ])('of %s for %s says what it means there: %s', async (probe, option, said) => {
    expect(bccHint(option, probe, await optionsNamed(probe))).toContain(said)
  })

  it('is not made for a command that traces nothing', () => {
    expect(bccHint('P', null, attachPointOptions)).toBeNull()
  })
})

describe('groups that a hint asks for', () => {
  it.each([
    ['biolatency', ['dev', 'rwbs'], 'duration_ns'],
    ['runqlat', ['pid', 'comm', 'tid'], 'duration_ns'],
    ['tcpcong', ['old_state'], 'duration_ns'],
    ['tcprtt', ['laddr', 'raddr'], 'srtt_ns'],
    ['syscount', ['pid', 'comm'], 'duration_ns'],
    ['tcpconnect', ['laddr', 'raddr', 'rport'], 'lport'],
    ['retrans', ['laddr', 'lport', 'raddr', 'rport'], 'kind'],
  ])('are by fields that %s has', async (probe, by, other) => {
    const { spec } = await loadProbe(probe)
    const fields = Object.values(spec.events).flatMap((event) => Object.keys(event.fields))

    expect(fields).toEqual(expect.arrayContaining([...by, other]))
  })
})
