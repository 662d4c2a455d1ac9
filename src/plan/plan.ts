import { EbpfRunError } from '../errors.ts'
import type { Fact, HostFacts } from '../host/facts.ts'
import type { ProbeSpec, VariantSpec } from '../schema/define.ts'
import { needText } from '../schema/docs.ts'
import { withNames } from '../schema/names.ts'
import { type RecordLayout, layoutsOfProbe } from '../wire/layout.ts'
import { type Buffers, chooseBuffers } from './buffers.ts'
import type { Dialect } from './dialect.ts'
import type { AnyFilter } from './filters.ts'
import { checkNeed } from './needs.ts'
import { forkTracepoint, gateTracepoint, nodesOf } from './questions.ts'
import {
  type Applied,
  type Program,
  type ProgramInput,
  renderProgram,
  type Secrets,
} from './render.ts'
import { requireDialect, requirePrivileges } from './requirements.ts'

/** A probe with the text of its templates, as the catalogue hands it out. */
export interface LoadedProbe {
  readonly spec: ProbeSpec
  /** Variant name to template text. */
  readonly templates: Readonly<Record<string, string>>
}

export interface PlanRequest {
  readonly filters: readonly AnyFilter[]
  readonly params: Readonly<Record<string, number>>
  /** Force a variant by name; null lets the plan choose. */
  readonly variant: string | null
  /** Only variants of this back-end; null lets the plan choose. */
  readonly backend: string | null
  readonly bufferBytes: number | null
}

/** Why a variant was taken or passed over. */
export interface Consideration {
  readonly variant: string
  readonly chosen: boolean
  readonly reasons: readonly string[]
}

/** A probe, its parameters and this host's facts, ready to run. Pure data and one pure function. */
export interface Plan {
  /** With the names that its enums have on this host. */
  readonly probe: ProbeSpec
  readonly variant: VariantSpec
  readonly dialect: Dialect
  readonly layouts: readonly RecordLayout[]
  readonly considered: readonly Consideration[]
  readonly filters: readonly { readonly filter: AnyFilter; readonly applied: Applied }[]
  readonly buffers: Buffers
  /** The child needs a mount namespace of its own with tracefs in it. */
  readonly privateTracefs: boolean
  readonly canGate: boolean
  /** What stands for the secrets of a run where the program is only shown. */
  readonly placeholders: Secrets
  render(secrets: Secrets): string
}

/** Stands for a run's token. */
export const placeholderToken = '7000000000000000'

/** Chooses the first variant whose needs hold. Throws NO_BPFTRACE, BPFTRACE_TOO_OLD, NO_PERMISSION, NO_VARIANT, BAD_VALUE. */
export function makePlan(probe: LoadedProbe, request: PlanRequest, facts: HostFacts): Plan {
  const { spec } = probe
  if (
    request.variant !== null &&
    !spec.variants.some((variant) => variant.name === request.variant)
  ) {
    const names = spec.variants.map((variant) => variant.name).join(', ')
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${spec.name} has no variant '${request.variant}'`,
      expected: names,
      found: request.variant,
    })
  }
  const dialect = requireDialect(facts)
  requirePrivileges(facts)
  const considered: Consideration[] = []
  let chosen: VariantSpec | null = null
  for (const variant of spec.variants) {
    const against =
      chosen === null
        ? objections(variant, request, facts, dialect)
        : [`${chosen.name} comes first`]
    if (against.length === 0) chosen = variant
    considered.push({
      variant: variant.name,
      chosen: against.length === 0,
      reasons:
        against.length === 0
          ? [variant.needs.map((need) => checkNeed(need, facts, dialect).evidence).join('; ')]
          : against,
    })
  }
  if (chosen === null) throw noVariant(spec, request, considered)
  return completePlan(probe, chosen, request, facts, dialect, considered)
}

function completePlan(
  probe: LoadedProbe,
  variant: VariantSpec,
  request: PlanRequest,
  facts: HostFacts,
  dialect: Dialect,
  considered: readonly Consideration[],
): Plan {
  const spec = withNames(probe.spec, facts.tracepoints)
  const layouts = layoutsOfProbe(spec.events, variant.cannotTell)
  const input: ProgramInput = {
    where: `${spec.name}/${variant.template}`,
    nodes: nodesOf(probe, variant),
    dialect,
    events: spec.events,
    layouts,
    members: facts.members,
    options: Object.fromEntries(
      Object.entries(variant.options ?? {}).map(([name, need]) => [
        name,
        typeof need === 'boolean' ? need : checkNeed(need, facts, dialect).is === 'yes',
      ]),
    ),
    params: { ...defaultParams(spec), ...request.params },
    filters: request.filters,
    canGate: canGate(facts),
  }
  const follows = request.filters.some((filter) => filter.by === 'command')
  if (follows) requireDescendants(facts)
  const placeholders = { token: placeholderToken, gatePid: 1, commandPid: follows ? 1 : null }
  const program: Program = renderProgram(input, placeholders)
  return {
    probe: spec,
    variant,
    dialect,
    layouts,
    considered,
    filters: request.filters.map((filter, index) => ({
      filter,
      applied: program.applied[index] ?? 'after',
    })),
    buffers: chooseBuffers(facts, dialect, request.bufferBytes),
    privateTracefs: facts.tracefs.is !== 'yes',
    canGate: input.canGate,
    placeholders,
    render: (secrets) => renderProgram(input, secrets).text,
  }
}

/** Pids must be ours for the gate to know its sender's target, and the tracepoint must be there. */
function canGate(facts: HostFacts): boolean {
  return Boolean(facts.tracepoints[gateTracepoint]) && facts.hostPidNamespace.is === 'yes'
}

/** Only the kernel knows who descends from a command, and it numbers processes in its own way. Throws NO_VARIANT. */
function requireDescendants(facts: HostFacts): void {
  const hasForks = Boolean(facts.tracepoints[forkTracepoint])
  if (hasForks && facts.hostPidNamespace.is === 'yes') return
  throw new EbpfRunError({
    code: 'NO_VARIANT',
    message: 'a command cannot be followed on this host',
    found: hasForks ? facts.hostPidNamespace.evidence : `no tracepoint ${forkTracepoint}`,
    remedy: '--all traces the whole machine while the command runs',
  })
}

function objections(
  variant: VariantSpec,
  request: PlanRequest,
  facts: HostFacts,
  dialect: Dialect,
): readonly string[] {
  if (request.variant !== null && request.variant !== variant.name)
    return [`--variant ${request.variant} was asked for`]
  if (request.backend !== null && request.backend !== variant.backend)
    return [`--backend ${request.backend} was asked for`]
  const unmet = variant.needs
    .map((need) => ({ need, fact: checkNeed(need, facts, dialect) }))
    .filter(({ fact }) => fact.is !== 'yes')
    .map(({ need, fact }) => `needs ${needText(need)}: ${factText(fact)}`)
  const blind = request.filters.flatMap((filter) =>
    filter.by !== 'outcome' && filter.field in variant.cannotTell
      ? [
          `cannot tell ${filter.field}, which --${filter.flag} asks for: ${variant.cannotTell[filter.field]}`,
        ]
      : [],
  )
  return [...unmet, ...blind]
}

function factText(fact: Fact): string {
  return fact.is === 'unknown' ? `could not tell (${fact.evidence})` : fact.evidence
}

function noVariant(
  spec: ProbeSpec,
  request: PlanRequest,
  considered: readonly Consideration[],
): EbpfRunError {
  const forced = request.variant ?? request.backend
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

function defaultParams(spec: ProbeSpec): Record<string, number> {
  return Object.fromEntries(
    Object.entries(spec.params ?? {}).map(([name, param]) => [name, param.default]),
  )
}
