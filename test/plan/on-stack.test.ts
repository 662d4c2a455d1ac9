import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { makePlan, placeholderToken } from '../../src/plan/plan.ts'
import { bytesOnStack } from '../../src/plan/records.ts'
import { factsFor } from './handmade-facts.ts'

type Name = Parameters<typeof loadProbe>[0]

/** The program of a variant for a bpftrace. */
async function programOf(name: Name, variant: string, bpftrace: string): Promise<string> {
  const probe = await loadProbe(name)
  const plan = makePlan(
    probe,
    { filters: [], params: {}, variant, backend: null, bufferBytes: null },
    factsFor(probe, bpftrace, []),
  )
  return plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null })
}

describe.each([
  ['tcptracer', 'fexit'],
  ['tcplife', 'tracepoint'],
  ['execsnoop', 'tracepoint'],
] as const)('%s by %s', (name, variant) => {
  it.each(['0.22.0', '0.27.0'])(
    'puts records together on the stack, where no other program writes, with bpftrace %s',
    async (bpftrace) => {
      expect(await programOf(name, variant, bpftrace)).toMatch(
        /^config = \{.* on_stack_limit = \d+; \}$/m,
      )
    },
  )

  it('says nothing of the stack to a bpftrace that does not know of it', async () => {
    expect(await programOf(name, variant, '0.20.0')).not.toContain('on_stack_limit')
  })

  it('has one block of settings, also where there is something else to set', async () => {
    const text = await programOf(name, variant, '0.23.0')
    expect(text.match(/^config = /gm)).toHaveLength(1)
  })
})

it('keeps a record that is too large for the stack in memory', async () => {
  expect(await programOf('opensnoop', 'tracepoint', '0.27.0')).not.toContain('on_stack_limit')
})

it('counts each text twice, and an address as what ntop() makes of it', () => {
  const field = (spec: object) => ({ name: 'x', spec: { doc: '', ...spec } as never })
  const closed = [field({ kind: 'u32' }), field({ kind: 'address' })]
  expect(bytesOnStack({ closed, texts: [field({ kind: 'text', bytes: 30 })] })).toBe(
    8 + 8 + 24 + 2 * 32,
  )
})
