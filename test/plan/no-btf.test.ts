import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import type { Fact } from '../../src/host/facts.ts'
import { parseFilters } from '../../src/plan/params.ts'
import { makePlan, type Plan, placeholderToken } from '../../src/plan/plan.ts'
import { factsFor } from './handmade-facts.ts'
import { noNames } from './handmade-probe.ts'

const no: Fact = { is: 'no', evidence: 'not on this machine' }

/** A plan for a kernel without BTF, which has bcc or has it not. */
async function planOf(
  name: string,
  given: Record<string, string[]>,
  hasBcc: boolean,
): Promise<Plan> {
  const probe = await loadProbe(name)
  const filters = parseFilters(probe.spec, given, null, noNames)
  const facts = factsFor(probe, '0.23.0', filters)
  return makePlan(
    probe,
    { filters, params: {}, variant: null, backend: null, bufferBytes: null },
    {
      ...facts,
      btf: no,
      members: Object.fromEntries(Object.keys(facts.members).map((path) => [path, null])),
      ...(hasBcc ? {} : { headers: no }),
    },
  )
}

describe.each(['tcplife', 'tcpstates'])('%s on a kernel without BTF', (name) => {
  it('says that it knows no owners, and keeps none', async () => {
    const plan = await planOf(name, {}, false)

    expect(plan.variant.name).toBe('addresses')
    expect(Object.keys(plan.variant.cannotTell)).toEqual(
      expect.arrayContaining(['pid', 'uid', 'comm', 'cgroup', 'owner_from', 'netns']),
    )
    const text = plan.render({
      token: placeholderToken,
      childPid: 1,
      ownPid: null,
      commandPid: null,
    })
    expect(text).not.toMatch(/@(?:ends|pid|uid|cgroup|comm)\[/)
  })

  it.each(['pid', 'comm', 'uid'])('leaves --%s to bcc, which knows them', async (flag) => {
    expect((await planOf(name, { [flag]: ['1'] }, true)).variant.name).toBe('bcc')
  })

  it('refuses --pid where there is no bcc, and says why', async () => {
    await expect(planOf(name, { pid: ['1'] }, false)).rejects.toMatchObject({
      code: 'NO_VARIANT',
      found: expect.stringContaining('addresses: cannot tell pid, which --pid asks for'),
    })
  })
})
