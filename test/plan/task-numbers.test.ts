import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { dialectVersions } from '../../src/plan/dialect.ts'
import type { AnyFilter, TaskNumber } from '../../src/plan/filters.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { membersOfTask } from '../../src/plan/task-numbers.ts'
import { errorOf } from '../error-of.ts'
import { factsFor, handmadeFacts } from './handmade-facts.ts'

const numbers: readonly TaskNumber[] = ['ppid', 'mntns', 'pidns', 'netns']
const all = numbers.map((field): AnyFilter => ({
  by: 'task',
  flag: field,
  field,
  choices: [{ negated: field === 'ppid', value: { min: 7, max: 7 } }],
}))

/** The plan of a probe with these filters, on a host that can do everything but what is said. */
async function planOf(name: string, filters: readonly AnyFilter[], more = {}, version = '0.17.0') {
  const probe = await loadProbe(name)
  const request = {
    filters,
    params: {},
    variant: null,
    backend: null,
    bufferBytes: null,
    ...more,
  }
  const facts = factsFor(probe, version, filters)
  return { probe, request, facts, plan: () => makePlan(probe, request, facts) }
}

describe('filters by the current task', () => {
  it.each(dialectVersions)(
    'are read where the event is emitted, with bpftrace %s',
    async (version) => {
      const plan = (await planOf('opensnoop', all, { backend: 'bpftrace' }, version)).plan()
      const text = plan.render(plan.placeholders)
      const emit = text.slice(text.indexOf('$er_ppid = (uint64)curtask'))

      expect(plan.filters.map(({ applied }) => applied)).toEqual(numbers.map(() => 'kernel'))
      expect(emit).toMatch(
        /!\(\$er_ppid == 7\) && \(\(\$er_mntns == 7\)\) && \(\(\$er_pidns == 7\)\) && \(\(\$er_netns == 7\)\)/,
      )
      expect(emit).toContain('+ $er_level * 16)')
    },
  )

  it('are functions with bcc, declared once', async () => {
    const plan = (await planOf('opensnoop', all, { backend: 'bcc' })).plan()
    const text = plan.render(plan.placeholders)

    const current = '(struct task_struct *)bpf_get_current_task()'
    expect(text).toContain(`!(er_task_ppid(${current}) == 7) && ((er_task_mntns(${current}) == 7))`)
    expect(text.split('u64 er_task_pidns(struct task_struct *task)')).toHaveLength(2)
  })

  it('take nothing of a program that does not ask', async () => {
    const plan = (await planOf('opensnoop', [])).plan()
    expect(plan.render(plan.placeholders)).not.toContain('curtask')
  })

  it('pass a variant over that is not in the task, and one without BTF', async () => {
    const { plan } = await planOf('tcpconnect', all, {}, '0.23.0')
    const { considered } = plan()
    const reasons = (name: string) => considered.find(({ variant }) => variant === name)?.reasons
    const { probe, request, facts } = await planOf('opensnoop', all)
    const noBtf = { ...facts, btf: { is: 'no', evidence: 'no BTF here' } as const }

    expect(considered.find(({ chosen }) => chosen)?.variant).toBe('fexit')
    expect(reasons('rawtracepoint')).toEqual(['fexit comes first'])
    expect(makePlan(probe, request, noBtf).variant.name).toBe('bcc')
    expect(
      errorOf(() => makePlan(probe, { ...request, variant: 'tracepoint' }, noBtf)).found,
    ).toMatch(/needs BTF of task_struct\.\w+ and \d+ more: no BTF here/)
    const forced = await planOf('tcpconnect', all, { variant: 'tracepoint' })
    expect(errorOf(forced.plan).found).toContain(
      'cannot tell --mntns: the event comes with the outcome',
    )
  })

  it('are not asked of a host otherwise', async () => {
    const probe = await loadProbe('opensnoop')
    expect(Object.keys(factsFor(probe, '0.17.0').members)).not.toContain('nsproxy.mnt_ns')
    expect(handmadeFacts().members).toEqual({})
  })
})

describe('the pid namespace of the thread that runqlat tells of', () => {
  const on = { switches: ['pidnss'] }
  const programOf = async (more: object, version = '0.27.0') => {
    const plan = (await planOf('runqlat', [], more, version)).plan()
    return plan.render(plan.placeholders)
  }

  it('is read of that thread, on the way that filters take', async () => {
    const raw = await programOf({ ...on, variant: 'rawtracepoint' })
    const bcc = await programOf({ ...on, variant: 'bcc' })

    expect(raw).toContain('$er_pidns = $next;')
    expect(raw).toContain('+ $er_level * 16)')
    expect(bcc).toContain('u64 space = er_task_pidns(next);')
    expect(bcc.split('u64 er_task_pidns(struct task_struct *task)')).toHaveLength(2)
  })

  it.each(dialectVersions)(
    'is learned of threads that leave the CPU, with bpftrace %s',
    async (version) => {
      const text = await programOf({ ...on, variant: 'tracepoint' }, version)

      expect(text).toContain('$er_pidns = (uint64)curtask;')
      expect(text).toContain('@space[$born]')
    },
  )

  it('is not there otherwise', async () => {
    for (const variant of ['rawtracepoint', 'tracepoint', 'bcc'])
      expect(await programOf({ variant })).not.toMatch(/pidns|\bspace\b|\$space/)
  })

  it('needs of BTF what it reads', async () => {
    const { spec } = await loadProbe('runqlat')
    for (const { backend, switches = {} } of spec.variants) {
      const needs = switches['pidnss'] ?? []
      if (typeof needs === 'string') throw new Error(needs)
      const members = needs.flatMap((need) => ('btf' in need ? [need.btf] : []))
      expect(members).toEqual(
        expect.arrayContaining(backend === 'bcc' ? [] : [...membersOfTask('pidns')]),
      )
    }
  })

  it('is asked of a host with BTF alone', async () => {
    const { probe, request, facts } = await planOf('runqlat', [], on)
    const noBtf = { ...facts, btf: { is: 'no', evidence: 'no BTF here' } as const }

    expect(makePlan(probe, request, noBtf).variant.name).toBe('bcc')
    expect(makePlan(probe, { ...request, switches: [] }, noBtf).variant.name).toBe('tracepoint')
  })
})
