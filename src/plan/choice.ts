import { EbpfRunError } from '../errors.ts'
import type { Fact, HostFacts } from '../host/facts.ts'
import type { BackendName, Need, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { needText } from '../schema/docs.ts'
import type { Dialect } from './dialect.ts'
import { checkNeed } from './needs.ts'
import type { PlanRequest } from './plan-request.ts'
import { dialectOfHost, noBpftrace } from './requirements.ts'
import { taskFilters, taskNeeds } from './task-numbers.ts'

/** Why a variant was taken or passed over. */
export interface Consideration {
  readonly variant: string
  readonly chosen: boolean
  readonly reasons: readonly string[]
}

export interface Choice {
  readonly chosen: VariantSpec | null
  readonly considered: readonly Consideration[]
}

/**
 * The first variant that nothing speaks against, and what speaks against those before it. That it cannot tell a field which is to be
 * shown speaks against it where another one can.
 */
export function choose(spec: ProbeSpec, request: PlanRequest, facts: HostFacts): Choice {
  const shown = [...(request.fields ?? []), ...(request.summary?.by ?? [])]
  const wanted = [...new Set(shown.flatMap((name) => [name, ...sourcesOf(spec, name)]))]
  const choice = chooseFor(spec, request, facts, wanted)
  return choice.chosen !== null || wanted.length === 0
    ? choice
    : chooseFor(spec, request, facts, [])
}

/** The field that a derived one is computed from: a container is known by its cgroup. */
function sourcesOf({ events }: ProbeSpec, name: string): readonly string[] {
  return [...new Set(Object.values(events).flatMap(({ fields }) => fields[name]?.of ?? []))]
}

function chooseFor(
  spec: ProbeSpec,
  request: PlanRequest,
  facts: HostFacts,
  wanted: readonly string[],
): Choice {
  const dialect = dialectOfHost(facts)
  const considered: Consideration[] = []
  let chosen: VariantSpec | null = null
  for (const variant of spec.variants) {
    const against =
      chosen === null
        ? [
            ...objections(spec, variant, request, facts, dialectOf(variant, dialect)),
            ...silentOn(variant, wanted),
          ]
        : [`${chosen.name} comes first`]
    if (against.length === 0) chosen = variant
    considered.push({
      variant: variant.name,
      chosen: against.length === 0,
      reasons:
        against.length === 0 ? [evidenceOf(variant, facts, dialectOf(variant, dialect))] : against,
    })
  }
  return { chosen, considered }
}

/** What stands between a program and the kernel: bpftrace in its version, nothing with another back-end. */
export function dialectOf({ backend }: VariantSpec, dialect: Dialect | null): Dialect | null {
  return backend === 'bpftrace' ? dialect : null
}

function evidenceOf({ needs }: VariantSpec, facts: HostFacts, dialect: Dialect | null): string {
  return needs.map((need) => checkNeed(need, facts, dialect).evidence).join('; ')
}

/** That a variant cannot tell what is to be shown. */
function silentOn({ cannotTell }: VariantSpec, wanted: readonly string[]): readonly string[] {
  return wanted.flatMap((name) =>
    Object.hasOwn(cannotTell, name) ? [`cannot tell ${name}: ${cannotTell[name]}`] : [],
  )
}

function objections(
  spec: ProbeSpec,
  variant: VariantSpec,
  request: PlanRequest,
  facts: HostFacts,
  dialect: Dialect | null,
): readonly string[] {
  const other = notAskedFor(variant, request)
  if (other !== null) return [other]
  if (variant.backend === 'bpftrace' && dialect === null) return [noBpftrace(facts).message]
  const asked = (request.switches ?? []).map((name) => ({
    name,
    need: variant.switches?.[name] ?? [],
  }))
  const unmet = [
    ...variant.needs,
    ...asked.flatMap(({ need }) => (typeof need === 'string' ? [] : need)),
    ...taskNeeds(request.filters, variant.backend),
  ]
    .map((need) => ({ need, fact: checkNeed(need, facts, dialect) }))
    .filter(({ fact }) => fact.is !== 'yes')
  const unable = asked.flatMap(({ name, need }) =>
    typeof need === 'string' ? [`cannot do --${name}: ${need}`] : [],
  )
  const blind = request.filters.flatMap((filter) => {
    if (filter.by === 'outcome') return []
    const unknown = [filter.field, ...sourcesOf(spec, filter.field)].find((name) =>
      Object.hasOwn(variant.cannotTell, name),
    )
    const [field, why] =
      unknown === undefined
        ? [filter.field, filter.flag === 'errno' ? variant.neverFails?.[filter.field] : undefined]
        : [unknown, variant.cannotTell[unknown]]
    return why === undefined
      ? []
      : [`cannot tell ${field}, which --${filter.flag} asks for: ${why}`]
  })
  const { notInTask } = variant
  const elsewhere =
    notInTask === undefined
      ? []
      : taskFilters(request.filters).map(({ flag }) => `cannot tell --${flag}: ${notInTask}`)
  return [...unmetTexts(unmet), ...unable, ...blind, ...elsewhere]
}

/** What is not there, each reason once: a library that is missing has none of the functions in it. */
function unmetTexts(unmet: readonly { readonly need: Need; readonly fact: Fact }[]): string[] {
  const needed = new Map<string, string[]>()
  for (const { need, fact } of unmet) {
    const reason = factText(fact)
    needed.set(reason, [...(needed.get(reason) ?? []), needText(need)])
  }
  return [...needed].map(([reason, [first = '', ...others]]) =>
    others.length === 0
      ? `needs ${first}: ${reason}`
      : `needs ${first} and ${others.length} more: ${reason}`,
  )
}

/** That the request names another variant or back-end; null when it does not. */
export function notAskedFor(variant: VariantSpec, request: PlanRequest): string | null {
  if (request.variant !== null && request.variant !== variant.name)
    return `--variant ${request.variant} was asked for`
  return request.backend !== null && request.backend !== variant.backend
    ? `--backend ${request.backend} was asked for`
    : null
}

function factText(fact: Fact): string {
  return fact.is === 'unknown' ? `could not tell (${fact.evidence})` : fact.evidence
}

/** Why none of the variants will do. */
export function noVariant(
  spec: ProbeSpec,
  request: PlanRequest,
  considered: readonly Consideration[],
  facts: HostFacts,
): EbpfRunError {
  const { backend } = request
  if (backend !== null && !spec.variants.some((variant) => variant.backend === backend))
    return new EbpfRunError({
      code: 'NO_VARIANT',
      message: `${spec.name} has no variant for ${backend}`,
      remedy: `leave out --backend ${backend}`,
    })
  const forced = request.variant ?? backend
  const of = (backend: BackendName) =>
    spec.variants.filter((each) => each.backend === backend && notAskedFor(each, request) === null)
  // Without bpftrace there is one thing to say, and why bcc cannot stand in for it.
  if (dialectOfHost(facts) === null && of('bpftrace').length > 0) {
    const instead = considered.filter((each) => of('bcc').some(({ name }) => name === each.variant))
    return noBpftrace(
      facts,
      instead.map(({ variant, reasons }) => `${variant}: ${reasons.join('; ')}`),
    )
  }
  return new EbpfRunError({
    code: 'NO_VARIANT',
    message:
      forced === null
        ? `${spec.name} cannot work on this host`
        : `${spec.name} cannot work as ${forced} on this host`,
    found: considered
      .filter((each) => request.variant === null || each.variant === request.variant)
      .map((each) => `${each.variant}: ${each.reasons.join('; ')}`)
      .join('\n'),
    remedy:
      forced === null ? 'ebpf-run doctor' : `ebpf-run plan ${spec.name}   shows what works here`,
  })
}
