import { describe, expect, it } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import { EbpfRunError } from '../../src/errors.ts'
import type { HostFacts } from '../../src/host/facts.ts'
import { dialectOf, dialectVersions } from '../../src/plan/dialect.ts'
import type { SummaryRequest } from '../../src/plan/grouping.ts'
import { ringFunction } from '../../src/plan/questions.ts'
import { checkNeed, hookFunctions } from '../../src/plan/needs.ts'
import { type LoadedProbe, makePlan, type Plan, placeholderToken } from '../../src/plan/plan.ts'
import type { VariantSpec } from '../../src/schema/define.ts'
import { isMeasure } from '../../src/wire/groups.ts'
import { factsFor } from './handmade-facts.ts'
import { argumentsOf, printfsOf } from './program-text.ts'

const probes = await Promise.all(Object.keys(builtin).map((name) => loadProbe(name)))
const cells = probes.flatMap((probe) =>
  probe.spec.variants
    .filter(({ backend }) => backend === 'bpftrace')
    .flatMap((variant) =>
      dialectVersions.map((version) => ({
        probe,
        variant,
        version,
        name: `${probe.spec.name} by ${variant.name}`,
      })),
    ),
)

const ofBcc = probes.flatMap((probe) =>
  probe.spec.variants
    .filter(({ backend }) => backend === 'bcc')
    .map((variant) => ({ probe, variant, name: probe.spec.name })),
)

/** What stands in for bpftrace; it has no programs on network interfaces. */
const fallbacks = ofBcc.filter(({ probe }) => probe.spec.onInterfaces !== true)
const onInterfaces = ofBcc.filter(({ probe }) => probe.spec.onInterfaces === true)

describe('every variant on network interfaces', () => {
  it.each(onInterfaces)('needs a hook, and no headers: $name', ({ probe, variant }) => {
    expect(probe.spec.variants.every(({ backend }) => backend === 'bcc')).toBe(true)
    expect(variant.needs.filter((need) => 'hook' in need)).toHaveLength(1)
    expect(variant.needs).not.toEqual(expect.arrayContaining([{ headers: true }]))
  })
})

describe('every fallback for bcc', () => {
  it.each(fallbacks)('stands last, after what bpftrace can do: $name', ({ probe, variant }) => {
    const { variants } = probe.spec
    expect(
      variants.slice(variants.indexOf(variant)).every(({ backend }) => backend === 'bcc'),
    ).toBe(true)
    expect(variants.find(({ backend }) => backend === 'bcc')).toMatchObject({
      name: 'bcc',
      template: 'fallback.bcc.c',
    })
    expect(variant.name).toMatch(/^bcc/)
  })

  it.each(
    ofBcc.flatMap((each) =>
      [true, false].flatMap((ring) => [true, false].map((rich) => ({ ...each, ring, rich }))),
    ),
  )('renders, ring buffer $ring, with all options $rich: $name', (cell) => {
    const { probe, variant, ring, rich } = cell
    const full = factsFor(probe, '0.17.0')
    const needed = variant.needs.flatMap((need) => [
      ...('function' in need ? [need.function] : []),
      ...('hook' in need ? [hookFunctions[need.hook]] : []),
    ])
    const functions = Object.fromEntries(
      Object.entries(full.functions).filter(
        ([name]) => (rich && name !== ringFunction) || needed.includes(name),
      ),
    )
    const facts = {
      ...full,
      functions: { ...functions, ...(ring ? { [ringFunction]: full.btf } : {}) },
    }

    const plan = planned(probe, variant, facts)
    const secrets = { token: '1234567890abcdef', childPid: 4242, ownPid: null, commandPid: null }
    const program = plan.render(secrets)
    const request: unknown = JSON.parse(plan.input(secrets))

    expect(plan.dialect).toBeNull()
    expect(plan.buffers.transport).toBe(ring ? 'ring buffer' : 'perf buffer')
    expect(program).toContain(ring ? 'ringbuf_output(er,' : 'perf_submit(ctx, er,')
    expect(program).not.toMatch(/\{\{|undefined|\{(?:read|port|keys|kept)\s/)
    expect(program).not.toContain(secrets.token)
    for (const [open, close] of ['{}', '()']) {
      expect(count(program, open ?? '')).toBe(count(program, close ?? ''))
    }
    expect(request).toMatchObject({
      token: secrets.token,
      program,
      transport: plan.buffers.transport,
    })
    for (const [index, layout] of plan.layouts.entries()) {
      const fields = [...layout.closed, ...layout.texts].map(({ name }) => name)
      expect(request).toHaveProperty(`records.${index}.code`, layout.code)
      for (const name of fields) expect(program).toContain(`er->${name}`)
    }
  })

  it.each(fallbacks)('is followed to the descendants of a command: $name', ({ probe, variant }) => {
    const filter = { flag: 'command', by: 'command', field: 'pid' } as const
    const request = {
      filters: [filter],
      params: {},
      variant: variant.name,
      backend: null,
      bufferBytes: null,
    }
    const plan = makePlan(probe, request, factsFor(probe, '0.17.0'))
    const program = plan.render({
      token: placeholderToken,
      childPid: null,
      ownPid: null,
      commandPid: 4711,
    })

    expect(program).toContain('int tracepoint__sched__sched_process_fork(')
    expect(program).toContain('(er->pid == 4711 || er_kin.lookup(&er->pid) != 0)')
  })
})

/** The versions that the lab has, beside the first of each dialect. */
const labVersions = ['0.11.3', '0.17.0', '0.23.2', '0.27.1']

describe('every variant of every probe', () => {
  it.each(cells)('renders for bpftrace $version: $name', ({ probe, variant, version }) => {
    const facts = factsFor(probe, version)
    if (!canRender(variant, facts)) {
      expect(() => planned(probe, variant, facts)).toThrow(EbpfRunError)
      return
    }

    const plan = planned(probe, variant, facts)

    checkProgram(
      plan,
      plan.render({ token: placeholderToken, childPid: 4242, ownPid: null, commandPid: null }),
    )
    const ungated = plan.render({
      token: placeholderToken,
      childPid: null,
      ownPid: null,
      commandPid: null,
    })
    checkProgram(plan, ungated)
    // bpftrace refuses a map that nothing sets.
    expect(ungated).not.toContain('@stop_')
  })

  it.each(
    cells.flatMap((cell) =>
      Object.keys(cell.probe.spec.switches ?? {}).map((flag) => ({ ...cell, flag })),
    ),
  )('renders for bpftrace $version with --$flag: $name', (cell) => {
    const { probe, variant, version, flag } = cell
    const facts = factsFor(probe, version)
    const more = variant.switches?.[flag] ?? []
    const needs = typeof more === 'string' ? variant.needs : [...variant.needs, ...more]
    if (typeof more === 'string' || !canRender({ ...variant, needs }, facts)) {
      expect(() => planned(probe, variant, facts, null, [flag])).toThrow(EbpfRunError)
      return
    }

    const plan = planned(probe, variant, facts, null, [flag])
    const program = plan.render(plan.placeholders)

    checkProgram(plan, program)
    expect(program).not.toBe(planned(probe, variant, facts).render(plan.placeholders))
  })

  it.each(cells.filter(({ variant }) => !variant.needs.some((need) => 'btf' in need)))(
    'renders for bpftrace $version on a kernel without BTF: $name',
    ({ probe, variant, version }) => {
      const facts = { ...factsFor(probe, version), btf: none, fentry: none, members: {} }
      if (!canRender(variant, facts)) return

      const plan = planned(probe, variant, facts)

      checkProgram(
        plan,
        plan.render({ token: placeholderToken, childPid: 4242, ownPid: null, commandPid: null }),
      )
    },
  )

  it.each(cells)('counts in the kernel with bpftrace $version: $name', (cell) => {
    const { probe, variant, version } = cell
    const facts = factsFor(probe, version)
    if (!canRender(variant, facts) || 'comm' in variant.cannotTell) return

    const plan = planned(probe, variant, facts, { by: ['comm'], histogram: null, intervalMs: 1000 })
    const program = plan.render(plan.placeholders)

    checkText(program)
    expect(program).toContain(`@s_${placeholderToken}_0[$er_text0] = count();`)
    expect(program).toMatch(/^interval:ms:1000$/m)
    // bpftrace 0.11 refuses keys of one map that are not equally wide.
    expect(program).not.toContain(`@i_${placeholderToken}_0[""]`)
    // A map that holds texts is never printed.
    expect(program).not.toContain(`print(@i_`)
    const { dialect } = plan
    if (dialect === null) throw new Error('a plan of bpftrace has a dialect')
    if (dialect.hasEnd) expect(program).toContain(`clear(@i_${placeholderToken}_0)`)
    for (const { format } of printfsOf(program))
      if (dialect.token === 'number') expect(format.replaceAll(/\\./g, '?').length).toBeLessThan(64)
  })

  it.each(cells)('draws linear histograms with bpftrace $version: $name', (cell) => {
    const { probe, variant, version } = cell
    const facts = factsFor(probe, version)
    const measure = Object.values(probe.spec.events)
      .flatMap(({ fields }) => Object.entries(fields))
      .find(([name, spec]) => isMeasure(spec) && !Object.hasOwn(variant.cannotTell, name))
    if (measure === undefined || !canRender(variant, facts)) return
    const [histogram, { kind, unit }] = measure
    const linear = kind === 'duration' || unit === 'ns' ? '0..1ms/10us' : '0..1000/10'

    const plan = planned(probe, variant, facts, { by: [], histogram, linear, intervalMs: null })
    const program = plan.render(plan.placeholders)

    checkText(program)
    expect(program).toMatch(
      new RegExp(`@h_${placeholderToken}_\\w+_0\\[\\$er_at\\] = count\\(\\);`),
    )
    expect(program).not.toContain('lhist(')
  })

  it('has a version of the lab in every dialect that was changed for it', () => {
    for (const version of labVersions) expect(dialectOf(version)).not.toBeNull()
    expect(dialectOf('0.10.9')).toBeNull()
    expect(dialectOf('0.9.4')).toBeNull()
  })
})

const none = { is: 'no', evidence: 'handmade: a kernel without BTF' } as const

function canRender(variant: VariantSpec, facts: HostFacts): boolean {
  const dialect = dialectOf(facts.bpftrace.version ?? '')
  return variant.needs.every((need) => checkNeed(need, facts, dialect).is === 'yes')
}

function planned(
  probe: LoadedProbe,
  variant: VariantSpec,
  facts: HostFacts,
  summary: SummaryRequest | null = null,
  switches: readonly string[] = [],
): Plan {
  const base = { filters: [], params: {}, switches, backend: null, bufferBytes: null, summary }
  const request = { ...base, variant: variant.name }
  return makePlan(probe, request, facts)
}

function checkText(program: string): void {
  expect(program).not.toContain('{{')
  expect(program).not.toContain('undefined')
  expect(program).not.toMatch(/\{(?:read|port|word|text|param)\s/)
  expect(count(program, '{')).toBe(count(program, '}'))
  expect(count(program, '(')).toBe(count(program, ')'))
}

/** What holds for every program that is handed to bpftrace. */
function checkProgram(plan: Plan, program: string): void {
  checkText(program)
  const { dialect } = plan
  if (dialect === null) throw new Error('a plan of bpftrace has a dialect')
  const printfs = printfsOf(program)
  const codes = new Set<string>()
  for (const { format, args } of printfs) {
    expect(argumentsOf(args)).toHaveLength(count(format, '%'))
    // bpftrace cuts %d, %u and %x to 32 bits; on 0.11 a format has 64 bytes, its NUL among them.
    if (dialect.token === 'text') expect(format).not.toMatch(/%[dux]/)
    else expect(format.replaceAll(/\\./g, '?').length).toBeLessThan(64)
    const mark = dialect.token === 'text' ? placeholderToken : '%lx'
    expect(format.startsWith(mark)).toBe(true)
    expect(format.endsWith(`${mark}\\n`)).toBe(true)
    codes.add(format[mark.length] ?? '')
  }
  for (const { code } of plan.layouts) expect(codes).toContain(code)
  for (const map of program.matchAll(/print\((@[^)]*)\)/g)) {
    expect(map[1]).toContain(placeholderToken)
  }
}

function count(text: string, what: string): number {
  return text.split(what).length - 1
}
