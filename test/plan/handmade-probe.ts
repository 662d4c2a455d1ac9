import type { Names } from '../../src/host/names.ts'
import { parseFilters } from '../../src/plan/params.ts'
import { type LoadedProbe, makePlan, type Plan } from '../../src/plan/plan.ts'
import { common, socket } from '../../src/schema/common.ts'
import { defineProbe, type ProbeSpec } from '../../src/schema/define.ts'
import { factsFor } from './handmade-facts.ts'

const spec = defineProbe({
  name: 'handmade',
  summary: 'every field that a filter knows',
  example: 'ebpf-run handmade',
  owner: 'task',
  failed: [{ field: 'result', min: -4095, max: -1 }],
  params: { least: { doc: 'a number', default: 3, min: 0, max: 9 } },
  events: {
    thing: {
      doc: 'one thing',
      fields: {
        ...common,
        ...socket,
        laddr: { ...socket.laddr, nullAs: '::' },
        lport: { ...socket.lport, nullAs: 0 },
        result: { kind: 'result', nullAs: 1, doc: 'what came of it' },
      },
      table: ['time', 'pid', 'comm'],
    },
  },
  variants: [
    {
      name: 'only',
      backend: 'bpftrace',
      template: 'only.bt',
      needs: [],
      cannotTell: {},
      misses: 'nothing',
      cost: 'none',
    },
  ],
})

/** A template whose values are variables that a test can set. */
const template = `tracepoint:handmade:thing
{
  {{emit thing
    task
    netns = $netns
    laddr = in6 thing.laddr $laddr
    lport = $lport
    raddr = in6 thing.raddr $raddr
    rport = $rport
    result = $result
  }}
}
`

const cTemplate = `{{kprobe handmade_thing struct thing *thing}}
{
  {{emit thing
    task
    netns = netns
    laddr = in6 &thing->laddr
    lport = lport
    raddr = in6 &thing->raddr
    rport = rport
    result = result
  }}
  return 0;
}
`

export const noNames: Names = {
  user: () => null,
  cgroup: () => null,
  namespace: () => 'none',
  device: () => null,
}

/** The probe with another template or definition, where a test needs one. */
export function handmadeProbe(
  differences: { readonly template?: string; readonly spec?: Partial<ProbeSpec> } = {},
): LoadedProbe {
  return {
    spec: { ...spec, ...differences.spec },
    templates: { only: differences.template ?? template },
  }
}

/** The same probe as C for bcc. */
export function handmadeBcc(c: string = cTemplate): LoadedProbe {
  const [variant] = spec.variants
  const needs = [{ headers: true }] as const
  return {
    spec: {
      ...spec,
      variants: [{ ...variant, backend: 'bcc', template: 'fallback.bcc.c', needs }],
    },
    templates: { only: c },
  }
}

/** The plan for filters as they are typed. */
export function planFor(
  values: Readonly<Record<string, readonly string[]>>,
  outcome: 'failed' | 'ok' | null = null,
  probe: LoadedProbe = handmadeProbe(),
  version = '0.17.0',
): Plan {
  const filters = parseFilters(probe.spec, values, outcome, noNames)
  return makePlan(
    probe,
    { filters, params: {}, variant: null, backend: null, bufferBytes: null },
    factsFor(probe, version),
  )
}
