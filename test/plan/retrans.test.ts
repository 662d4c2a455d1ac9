import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import type { Fact, HostFacts } from '../../src/host/facts.ts'
import { parseFormat } from '../../src/host/tracepoint-format.ts'
import { makePlan, type Plan, placeholderToken } from '../../src/plan/plan.ts'
import { factsFor } from './handmade-facts.ts'

const no: Fact = { is: 'no', evidence: 'not on this machine' }
const retrans = await loadProbe('retrans')
const asked = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }

const retransmit = 'tcp:tcp_retransmit_skb'
const others = ['tcp:tcp_retransmit_synack', 'sock:inet_sock_set_state']

/** The formats that a kernel has, as far as they are among the fixtures; 4.18 has one. */
function formatsOf(kernel: string, names: readonly string[]): HostFacts['tracepoints'] {
  return Object.fromEntries(
    names.map((name) => {
      const path = `../../fixtures/host/formats/${kernel}/${name.replace(':', '/')}`
      return [name, parseFormat(readFileSync(new URL(path, import.meta.url), 'utf8'))]
    }),
  )
}

function planOn(
  bpftrace: string,
  tracepoints: HostFacts['tracepoints'],
  differences: Partial<HostFacts> = {},
): Plan {
  const facts = factsFor(retrans, bpftrace)
  return makePlan(retrans, asked, {
    ...facts,
    ...differences,
    tracepoints: { ...facts.tracepoints, ...tracepoints },
  })
}

/** Fields that are null in every event: what the variant cannot tell, and a kind without a hook for loss probes. */
function nullFields(plan: Plan): readonly string[] {
  const text = plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null })
  return [
    ...Object.keys(plan.variant.cannotTell),
    ...(text.includes('tcp_send_loss_probe') ? [] : ['kind']),
  ].sort()
}

/** Where the program has a failure from: null where it takes every retransmission for one that was sent. */
function resultFrom(plan: Plan): string | null {
  const text = plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null })
  return /\$result = \(int64\)\(?(?:\(int32\))?(args->err|arg2)/.exec(text)?.[1] ?? null
}

describe('the plan of retrans', () => {
  const tracepointsAlone = { fentry: no, kprobes: no, functions: {}, btfFunctions: {} }

  it.each([
    ['4.18', [retransmit], null],
    ['5.10', [retransmit, ...others], null],
    ['6.18', [retransmit, ...others], 'args->err'],
  ])('follows the tracepoint of %s', (kernel, names, result) => {
    const plan = planOn('0.17.0', formatsOf(kernel, names))

    expect(plan.variant.name).toBe('tracepoint')
    expect(nullFields(plan)).toEqual([])
    expect(resultFrom(plan)).toBe(result)
  })

  it.each(['4.18', '5.10', '6.18'])('cannot tell kinds on %s with tracepoints alone', (kernel) => {
    const plan = planOn('0.17.0', formatsOf(kernel, [retransmit]), tracepointsAlone)

    expect(plan.variant.name).toBe('tracepoint')
    expect(nullFields(plan)).toEqual(['kind'])
  })

  it('takes the raw tracepoint where bpftrace has them, with the errno of the third argument', () => {
    const plan = planOn('0.23.2', formatsOf('6.18', [retransmit, ...others]))

    expect(plan.variant.name).toBe('rawtracepoint')
    expect(nullFields(plan)).toEqual([])
    expect(resultFrom(plan)).toBe('arg2')
  })

  it.each([
    ['the tracepoint', retransmit],
    ['that of SYN-ACKs', 'tcp:tcp_retransmit_synack'],
  ])('takes kprobes where %s is absent, and has no results', (_, name) => {
    const plan = planOn('0.17.0', { [name]: null })

    expect(plan.variant.name).toBe('kprobe')
    expect(nullFields(plan)).toEqual(['result'])
    expect(plan.considered.map(({ variant, chosen }) => [variant, chosen])).toEqual([
      ['rawtracepoint', false],
      ['tracepoint', false],
      ['kprobe', true],
      ['bcc', false],
    ])
    expect(plan.considered[1]?.reasons.join()).toContain(name)
  })
})
