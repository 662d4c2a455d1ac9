import semver from 'semver'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../probes/index.ts'
import type { Fact, HostFacts } from '../../src/host/facts.ts'
import { installRemedy } from '../../src/host/remedies.ts'
import { parseFormat } from '../../src/host/tracepoint-format.ts'
import {
  asksForBcc,
  type LoadedProbe,
  makePlan,
  type Plan,
  placeholderToken,
} from '../../src/plan/plan.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import type { VariantSpec } from '../../src/schema/define.ts'
import { factsFor } from './handmade-facts.ts'
import { handmadeBcc, handmadeProbe, planFor } from './handmade-probe.ts'

const yes = (evidence: string): Fact => ({ is: 'yes', evidence })
const no = (evidence: string): Fact => ({ is: 'no', evidence })

const [only] = handmadeProbe().spec.variants
if (only === undefined) throw new Error('the handmade probe has no variant')

/** Three ways, best first: fentry, a tracepoint with `family` and `state`, the same tracepoint without. */
const retransmit = 'tcp:tcp_retransmit_skb'
const three: readonly VariantSpec[] = [
  { ...only, name: 'fexit', needs: [{ function: 'tcp_retransmit_skb', by: 'fentry' }] },
  { ...only, name: 'full', needs: [{ tracepoint: retransmit, fields: ['family', 'state'] }] },
  {
    ...only,
    name: 'lean',
    needs: [{ tracepoint: retransmit, fields: ['sport', 'dport'] }],
    cannotTell: { laddr: 'the tracepoint shows no address here' },
  },
]
const template = handmadeProbe().templates['only'] ?? ''
const threeWays: LoadedProbe = {
  spec: { ...handmadeProbe().spec, variants: three },
  templates: {
    fexit: template,
    full: template,
    lean: template.replace(/^ *laddr =.*\n/m, ''),
  },
}

const anything = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }

function formatOf(kernel: string) {
  const url = new URL(
    `../../fixtures/host/formats/${kernel}/tcp/tcp_retransmit_skb`,
    import.meta.url,
  )
  return parseFormat(readFileSync(url, 'utf8'))
}

function planOn(
  differences: Partial<HostFacts>,
  request: Partial<Parameters<typeof makePlan>[1]> = {},
): Plan {
  return makePlan(
    threeWays,
    { ...anything, ...request },
    { ...factsFor(threeWays, '0.17.0'), ...differences },
  )
}

describe('the choice of a variant', () => {
  it('takes the first that works and says why the others were passed over', () => {
    const plan = planOn({ fentry: no('no trampolines on this machine') })

    expect(plan.variant.name).toBe('full')
    expect(plan.considered).toEqual([
      {
        variant: 'fexit',
        chosen: false,
        reasons: ['needs fentry on tcp_retransmit_skb: no trampolines on this machine'],
      },
      {
        variant: 'full',
        chosen: true,
        reasons: ['tcp:tcp_retransmit_skb is there with its fields'],
      },
      { variant: 'lean', chosen: false, reasons: ['full comes first'] },
    ])
  })

  it('follows the running kernel: 4.18 has the tracepoint without family and state', () => {
    const tracepoints = { [retransmit]: formatOf('4.18') }

    const plan = planOn({ fentry: no('too old'), tracepoints })

    expect(plan.variant.name).toBe('lean')
    expect(plan.considered[1]?.reasons).toEqual([
      'needs tracepoint tcp:tcp_retransmit_skb with family, state: tcp:tcp_retransmit_skb has no family, state here',
    ])
    expect(plan.canGate).toBe(false)
  })

  it('follows the running kernel: 6.18 has them', () => {
    const tracepoints = { [retransmit]: formatOf('6.18') }

    expect(planOn({ fentry: no('none'), tracepoints }).variant.name).toBe('full')
  })

  it('counts what could not be found out as not there, and says so', () => {
    const fentry: Fact = { is: 'unknown', evidence: 'BTF could not be read: EACCES' }

    const plan = planOn({ fentry })

    expect(plan.variant.name).toBe('full')
    expect(plan.considered[0]?.reasons[0]).toContain('could not tell (BTF could not be read')
  })

  it('does not take a variant that cannot tell what a filter asks for', () => {
    const tracepoints = { [retransmit]: formatOf('4.18') }
    const filters = planFor({ laddr: ['10.0.0.0/8'] }).filters.map(({ filter }) => filter)

    expect(() => planOn({ fentry: no('none'), tracepoints }, { filters })).toThrow(
      expect.objectContaining({
        code: 'NO_VARIANT',
        exitCode: 69,
        found: expect.stringContaining(
          'lean: cannot tell laddr, which --laddr asks for: the tracepoint shows no address here',
        ),
      }),
    )
  })

  it('does not take a variant whose results hold no errno for --errno', async () => {
    const probe = await loadProbe('tcpconnect')
    const plans = planFor({ errno: ['ECONNREFUSED'] }, null, probe)
    const filters = plans.filters.map(({ filter }) => filter)
    const plan = (variant: string | null) =>
      makePlan(probe, { ...anything, filters, variant }, factsFor(probe, '0.17.0'))

    expect(plan('fexit').variant.name).toBe('fexit')
    expect(() => plan('tracepoint')).toThrow(
      expect.objectContaining({
        code: 'NO_VARIANT',
        found: expect.stringContaining('cannot tell result, which --errno asks for'),
      }),
    )
  })

  it('takes one that can tell what is to be shown or grouped by, where there is one', () => {
    const tracepoints = { [retransmit]: formatOf('6.18') }
    const mute: LoadedProbe = {
      ...threeWays,
      spec: { ...threeWays.spec, variants: three.toReversed() },
    }
    const facts = { ...factsFor(mute, '0.17.0'), tracepoints }
    const chosen = (request: Partial<Parameters<typeof makePlan>[1]>) =>
      makePlan(mute, { ...anything, ...request }, facts)
    const summary = { by: ['laddr'], histogram: null, intervalMs: null }

    expect(chosen({}).variant.name).toBe('lean')
    expect(chosen({ fields: ['time', 'comm'] }).variant.name).toBe('lean')
    expect(chosen({ fields: ['laddr'] }).variant.name).toBe('full')
    expect(chosen({ fields: ['laddr'] }).considered[0]?.reasons).toEqual([
      'cannot tell laddr: the tracepoint shows no address here',
    ])
    expect(chosen({ summary }).variant.name).toBe('full')
    expect(chosen({ fields: ['laddr'], variant: 'lean' }).variant.name).toBe('lean')
  })

  it('takes one that knows what is derived', () => {
    const lean = { ...only, name: 'lean', cannotTell: { cgroup: 'nobody asks for it' } }
    const probe: LoadedProbe = {
      spec: { ...handmadeProbe().spec, variants: [lean, { ...only, name: 'full' }] },
      templates: { lean: template, full: template },
    }
    const summary = { by: ['container'], histogram: null, intervalMs: null }
    const on = factsFor(probe, '0.17.0')

    expect(makePlan(probe, { ...anything, summary }, on).variant.name).toBe('full')
    expect(makePlan(probe, { ...anything, fields: ['container'] }, on).variant.name).toBe('full')
    expect(makePlan(probe, anything, on).variant.name).toBe('lean')
  })

  it('gives tools that look for tracefs below debugfs alone one of their own, where it is elsewhere', () => {
    const on = (version: string, tracefsInDebugfs: Fact) =>
      makePlan(threeWays, anything, { ...factsFor(threeWays, version), tracefsInDebugfs })
        .privateTracefs

    expect(on('0.11.3', no('nothing there'))).toBe(true)
    expect(on('0.17.0', no('nothing there'))).toBe(true)
    expect(on('0.23.2', no('nothing there'))).toBe(false)
    expect(on('0.11.3', yes('debugfs at /sys/kernel/debug'))).toBe(false)
  })

  it('takes a forced one although another comes first', () => {
    expect(planOn({}, { variant: 'lean' }).variant.name).toBe('lean')
  })

  it('refuses a forced one that cannot work, with its own reasons only', () => {
    expect(() => planOn({ fentry: no('none here') }, { variant: 'fexit' })).toThrow(
      expect.objectContaining({
        code: 'NO_VARIANT',
        message: 'handmade cannot work as fexit on this host',
        found: 'fexit: needs fentry on tcp_retransmit_skb: none here',
        remedy: expect.stringContaining('ebpf-run plan handmade'),
      }),
    )
  })

  it('refuses a variant that is not there, with those that are', () => {
    expect(() => planOn({}, { variant: 'warp' })).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', expected: 'fexit, full, lean' }),
    )
  })
})

describe('the fallback for bcc', () => {
  const [fexit] = three
  const withBcc: LoadedProbe = {
    spec: {
      ...threeWays.spec,
      variants: [
        ...three.filter((each) => each !== fexit),
        {
          ...only,
          name: 'bcc',
          backend: 'bcc',
          template: 'fallback.bcc.c',
          needs: [{ bcc: '>=0.18.0' }, { headers: true }],
        },
      ],
    },
    templates: { ...threeWays.templates, bcc: handmadeBcc().templates['only'] ?? '' },
  }
  const facts = factsFor(withBcc, '0.17.0')
  const noBpftrace = { bpftrace: { found: no('looked on PATH'), path: null, version: null } }
  const { bcc: _bcc, headers: _headers, ...unasked } = facts
  const noBcc = { bcc: { found: no('python3: no module bcc'), python: null, version: null } }

  it('is taken where bpftrace is absent', () => {
    const plan = makePlan(withBcc, anything, { ...facts, ...noBpftrace })

    expect(plan.variant.name).toBe('bcc')
    expect(plan).toMatchObject({ dialect: null, clock: 'monotonic', canGate: true })
    expect(plan.considered[0]).toMatchObject({ reasons: ['bpftrace is not installed'] })
  })

  it('is taken where no variant of bpftrace works, or where it is asked for', () => {
    const blind = { ...facts, tracepoints: { [retransmit]: null } }

    expect(makePlan(withBcc, anything, blind).variant.name).toBe('bcc')
    expect(makePlan(withBcc, { ...anything, backend: 'bcc' }, facts).variant.name).toBe('bcc')
    expect(makePlan(withBcc, { ...anything, variant: 'bcc' }, facts).variant.name).toBe('bcc')
    expect(makePlan(withBcc, anything, facts).variant.name).toBe('full')
  })

  it('is asked about only where it decides, because that means to start Python', () => {
    const ask = (
      request: Partial<Parameters<typeof makePlan>[1]>,
      differences: Partial<HostFacts>,
    ) => asksForBcc(withBcc, { ...anything, ...request }, { ...unasked, ...differences })

    expect(ask({}, {})).toBe(false)
    expect(ask({ backend: 'bpftrace' }, noBpftrace)).toBe(false)
    expect(ask({ variant: 'full' }, noBpftrace)).toBe(false)
    expect(ask({}, noBpftrace)).toBe(true)
    expect(ask({ backend: 'bcc' }, {})).toBe(true)
    expect(ask({ variant: 'bcc' }, {})).toBe(true)
    expect(ask({}, { ...noBpftrace, privileged: no('uid 1000') })).toBe(false)
    expect(asksForBcc(threeWays, anything, { ...unasked, ...noBpftrace })).toBe(false)
  })

  it('leaves NO_BPFTRACE where it cannot work either, with both reasons', () => {
    expect(() => makePlan(withBcc, anything, { ...facts, ...noBpftrace, ...noBcc })).toThrow(
      expect.objectContaining({
        code: 'NO_BPFTRACE',
        found: expect.stringMatching(/looked on PATH\nbcc: needs bcc .*no module bcc/),
      }),
    )
  })

  it('is said not to be there where a probe has none', () => {
    expect(() => makePlan(threeWays, { ...anything, backend: 'bcc' }, facts)).toThrow(
      expect.objectContaining({ code: 'NO_VARIANT', message: 'handmade has no variant for bcc' }),
    )
  })

  it('is refused by its own name where it was asked for and cannot work', () => {
    const headers = no('neither /lib/modules nor /sys/kernel/kheaders.tar.xz')

    expect(() => makePlan(withBcc, { ...anything, backend: 'bcc' }, { ...facts, headers })).toThrow(
      expect.objectContaining({
        code: 'NO_VARIANT',
        found: expect.stringContaining("needs the kernel's headers: neither"),
      }),
    )
    const old = { bcc: { ...facts.bcc, found: yes('bcc 0.12.0'), python: '/p', version: '0.12.0' } }
    expect(() => makePlan(withBcc, { ...anything, variant: 'bcc' }, { ...facts, ...old })).toThrow(
      expect.objectContaining({ code: 'NO_VARIANT', found: expect.stringContaining('bcc 0.12.0') }),
    )
  })
})

describe('a host that cannot trace', () => {
  const facts = factsFor(threeWays, '0.17.0')
  const refused = (differences: Partial<HostFacts>) =>
    expect(() => makePlan(threeWays, anything, { ...facts, ...differences }))
  const bpftrace = (version: string | null, path: string | null = '/usr/bin/bpftrace') => ({
    bpftrace: { found: no('looked on PATH'), path, version },
  })

  it('is told that bpftrace is missing, with what installs it', () => {
    refused(bpftrace(null, null)).toThrow(
      expect.objectContaining({
        code: 'NO_BPFTRACE',
        exitCode: 69,
        remedy: expect.stringContaining('install bpftrace'),
      }),
    )
  })

  it.each(['debian', 'fedora', 'suse', 'arch', 'alpine', null] as const)(
    'is told what installs bpftrace on %s, in the words of doctor',
    (family) => {
      const install = installRemedy('bpftrace', family)
      const { bpftrace: none } = bpftrace(null, null)
      refused({ bpftrace: { ...none, install } }).toThrow(
        expect.objectContaining({
          code: 'NO_BPFTRACE',
          remedy: `${install}; ebpf-run doctor checks the rest`,
        }),
      )
    },
  )

  it.each(['0.9.4', '0.10.0'])('is told that bpftrace %s is too old', (version) => {
    refused(bpftrace(version)).toThrow(
      expect.objectContaining({ code: 'BPFTRACE_TOO_OLD', exitCode: 69, found: version }),
    )
  })

  it('is told when bpftrace says nothing that can be understood of its version', () => {
    refused(bpftrace(null)).toThrow(expect.objectContaining({ exitCode: 69 }))
  })

  it('is told when bpftrace does not answer', () => {
    const found: Fact = {
      is: 'unknown',
      evidence: '/usr/bin/bpftrace --version did not answer within 30 s',
    }
    refused({ bpftrace: { found, path: '/usr/bin/bpftrace', version: null } }).toThrow(
      expect.objectContaining({
        code: 'NO_BPFTRACE',
        message: 'bpftrace does not answer',
        found: expect.stringContaining('did not answer within 30 s'),
        remedy: expect.stringContaining('time /usr/bin/bpftrace --version'),
      }),
    )
  })

  it('is told what shows the variants when one is asked for that is none', () => {
    expect(() => makePlan(threeWays, { ...anything, variant: 'nope' }, facts)).toThrow(
      expect.objectContaining({
        code: 'BAD_VALUE',
        remedy: expect.stringContaining(`ebpf-run plan ${threeWays.spec.name}`),
      }),
    )
  })

  it('is told that root is needed', () => {
    refused({ privileged: no('uid 1000') }).toThrow(
      expect.objectContaining({ code: 'NO_PERMISSION', exitCode: 77, found: 'uid 1000' }),
    )
  })
})

describe('a plan', () => {
  it('shows no token but the placeholder, and renders another for each run', () => {
    const plan = planFor({})
    const one = plan.render({
      token: '1234567890abcdef',
      childPid: 1,
      ownPid: null,
      commandPid: null,
    })

    expect(one).toContain('1234567890abcdef')
    expect(one.replaceAll('1234567890abcdef', placeholderToken)).toBe(
      plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null }),
    )
  })

  it('divides the buffer by the CPUs and rounds down to a power of two', () => {
    const probe = handmadeProbe()
    const facts = { ...factsFor(probe, '0.23.2'), cpus: 6 }
    const of = (bufferBytes: number | null) =>
      makePlan(probe, { ...anything, bufferBytes }, facts).buffers

    expect(of(64 * 1024 * 1024)).toMatchObject({
      pages: 2048,
      totalBytes: 2048 * 4096 * 6,
      transport: 'ring buffer',
    })
    expect(of(null).totalBytes).toBeLessThanOrEqual(64 * 1024 * 1024)
  })

  it('takes at most 1 % of the memory by default', () => {
    const probe = handmadeProbe()
    const facts = { ...factsFor(probe, '0.17.0'), cpus: 1, memoryBytes: 512 * 1024 * 1024 }

    expect(makePlan(probe, anything, facts).buffers.totalBytes).toBeLessThanOrEqual(5_368_709)
  })

  it.each(Object.keys(builtin))(
    'of %s asks the host for all that its templates read',
    async (name) => {
      const probe = await loadProbe(name)

      for (const variant of probe.spec.variants) {
        const plan = makePlan(
          probe,
          { ...anything, variant: variant.name },
          factsFor(probe, versionFor(variant)),
        )
        expect(
          plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null }),
        ).not.toBe('')
      }
    },
  )
})

/** A bpftrace of the lab that the variant works with. */
function versionFor({ needs }: VariantSpec): string {
  const fits = (version: string): boolean =>
    needs.every((need) => !('bpftrace' in need) || semver.satisfies(version, need.bpftrace))
  return fits('0.27.1') ? '0.27.1' : '0.17.0'
}

describe('what a variant does without', () => {
  const retrans = loadProbe('retrans')
  const senders = 'tcp_sendmsg_locked'
  const planned = async (differences: Partial<HostFacts>, variant = 'tracepoint') => {
    const probe = await retrans
    const facts = { ...factsFor(probe, '0.17.0'), ...differences }
    const plan = makePlan(probe, { ...anything, variant }, facts)
    const text = plan.render({
      token: placeholderToken,
      childPid: null,
      ownPid: null,
      commandPid: null,
    })
    const hooks = text.match(/^k?\w+:tcp_sendmsg_locked$/gm)
    return { hooks, without: plan.without }
  }

  it('is nothing where fentry works', async () => {
    expect(await planned({})).toEqual({ hooks: [`kfunc:${senders}`], without: [] })
  })

  it('is nothing where there are kprobes', async () => {
    expect(await planned({ fentry: no('none') })).toEqual({
      hooks: [`kprobe:${senders}`],
      without: [],
    })
  })

  it('is who sends as well where there are tracepoints alone', async () => {
    expect(await planned({ fentry: no('none'), kprobes: no('none') })).toEqual({
      hooks: null,
      without: [
        'who accepts a connection is not learned',
        'accepts by io_uring and by 32-bit programs are not learned',
        expect.stringMatching(/^who sends is not learned/),
      ],
    })
  })

  it('is for bcc what its kprobes would see', async () => {
    expect(await planned({ kprobes: no('none') }, 'bcc')).toEqual({
      hooks: null,
      without: [expect.stringContaining('accepts'), expect.stringContaining('sends')],
    })
  })
})

describe('the order of groups', () => {
  const summary = { by: ['pid'], histogram: null, intervalMs: null }

  it('is that of a figure which the groups have', () => {
    expect(planOn({}, { summary: { ...summary, sort: 'count' } }).summary).toMatchObject({
      sort: 'count',
    })
  })

  it('is refused by a field that is no figure, with those that are', () => {
    expect(() => planOn({}, { summary: { ...summary, sort: 'pid' } })).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', expected: 'count', found: 'pid' }),
    )
  })
})
