import { expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { dialectVersions } from '../../src/plan/dialect.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { factsFor } from './handmade-facts.ts'

async function grouped(variant: string, version: string): Promise<string> {
  const probe = await loadProbe('biolatency')
  const plan = makePlan(
    probe,
    {
      ...{ filters: [], params: {}, variant, backend: null, bufferBytes: null },
      summary: { by: ['op', 'rwbs'], histogram: 'duration_ns', intervalMs: null },
    },
    factsFor(probe, version),
  )
  return plan.render(plan.placeholders)
}

it.each(dialectVersions)(
  "groups by the kernel's letters of a request, with bpftrace %s",
  async (version) => {
    const text = await grouped('tracepoint', version)
    const complete = text.slice(text.indexOf('tracepoint:block:block_rq_complete'))

    // Those of the completion, numbered as every text that is a key.
    expect(complete).toContain('@rwbs[cpu] = args->rwbs')
    expect(complete).toMatch(/@i_\w+_1\[@rwbs\[cpu\]\]/)
  },
)

it('has the letters in the key with bcc', async () => {
  const text = await grouped('bcc', '0.17.0')

  expect(text).toContain(
    'bpf_probe_read_kernel_str(er->rwbs, sizeof(er->rwbs), (const void *)(ctx->rwbs));',
  )
})
