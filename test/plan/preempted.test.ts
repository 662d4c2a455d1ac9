import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { makePlan, placeholderToken } from '../../src/plan/plan.ts'
import { factsFor } from './handmade-facts.ts'

/** The program of a variant of tcptracer for a kernel and a bpftrace. */
async function programOn(release: string, bpftrace: string, variant: string): Promise<string> {
  const probe = await loadProbe('tcptracer')
  const facts = factsFor(probe, bpftrace, [])
  const plan = makePlan(
    probe,
    { filters: [], params: {}, variant, backend: null, bufferBytes: null },
    { ...facts, kernel: { ...facts.kernel, release } },
  )
  return plan.render({ token: placeholderToken, gatePid: 1, commandPid: null })
}

describe.each(['fexit', 'kprobe', 'tracepoint'])('%s where programs are preempted', (variant) => {
  it('keeps records on the stack, which no other program writes to', async () => {
    expect(await programOn('7.2.13+deb14-amd64', '0.27.0', variant)).toMatch(
      /^config = \{.* on_stack_limit = \d+; \}$/m,
    )
  })

  it.each([
    ['7.2.13+deb14-amd64', '0.20.0'],
    ['6.12.117+deb13-amd64', '0.27.0'],
  ])('is as ever with Linux %s and bpftrace %s', async (release, bpftrace) => {
    expect(await programOn(release, bpftrace, variant)).not.toContain('on_stack_limit')
  })

  it('has one block of settings where there is something else to set', async () => {
    const text = await programOn('7.0.0', '0.23.0', variant)
    expect(text.match(/^config = /gm)).toHaveLength(1)
  })
})
