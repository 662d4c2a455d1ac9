import { EbpfRunError } from '../errors.ts'
import type { Fact, HostFacts } from '../host/facts.ts'
import type { BackendName, Need, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { needText } from '../schema/docs.ts'
import { withNames } from '../schema/names.ts'
import { fieldsLeftOut, withSwitches } from '../schema/switches.ts'
import { type GroupLayout, groupLayouts } from '../wire/groups.ts'
import { type RecordLayout, layoutsOfProbe } from '../wire/layout.ts'
import { bccPlan } from './bcc-plan.ts'
import { type Buffers, chooseBuffers } from './buffers.ts'
import type { Dialect } from './dialect.ts'
import type { AnyFilter } from './filters.ts'
import { parseLinearRange } from './linear-range.ts'
import { checkNeed } from './needs.ts'
import { forkTracepoint, gateTracepoint, nodesOf } from './questions.ts'
import {
  type Applied,
  type Program,
  type ProgramInput,
  renderProgram,
  type Secrets,
} from './render.ts'
import { dialectOfHost, noBpftrace, requirePrivileges } from './requirements.ts'
import type { SummaryPlan } from './summary.ts'
import { taskFilters, taskNeeds } from './task-numbers.ts'
import { tracefsPlan } from './tracefs-plan.ts'

/** A probe with the text of its templates, as the catalogue hands it out. */
export interface LoadedProbe {
  readonly spec: ProbeSpec
  /** Variant name to template text. */
  readonly templates: Readonly<Record<string, string>>
  /** Attach points that were asked for and are not in it, each with the reason. */
  readonly leftOut?: readonly string[]
  /** Facts of this host that answer all its questions, where somebody has gathered them a moment ago. */
  readonly facts?: HostFacts
}

export interface PlanRequest {
  readonly filters: readonly AnyFilter[]
  readonly params: Readonly<Record<string, number>>
  /** The probe's switches that are on; absent: none. */
  readonly switches?: readonly string[]
  /** Files of the probe's libraries that are not the machine's own; absent: none. */
  readonly libraries?: Readonly<Record<string, string>>
  /** Force a variant by name; null lets the plan choose. */
  readonly variant: string | null
  /** Only variants of this back-end; null lets the plan choose. */
  readonly backend: string | null
  readonly bufferBytes: number | null
  /** Aggregate in the kernel; absent: send every event. */
  readonly summary?: SummaryRequest | null
  /** Where a probe goes that is attached to network interfaces. */
  readonly place?: Place | null
}

/** Interfaces, and the network namespace that has them. */
export interface Place {
  /** Path of the namespace; null: our own. */
  readonly netns: string | null
  readonly interfaces: readonly string[]
}

/** `--summary`, `--hist`. */
export interface SummaryRequest {
  readonly by: readonly string[]
  readonly histogram: string | null
  /** `MIN..MAX/STEP` of a histogram with buckets of equal width; absent or null: powers of two. */
  readonly linear?: string | null
  /** The figure that groups are ordered by: `count`, or a quantity, whose sum counts; absent or null: the usual order. */
  readonly sort?: string | null
  readonly intervalMs: number | null
}

/** Why a variant was taken or passed over. */
export interface Consideration {
  readonly variant: string
  readonly chosen: boolean
  readonly reasons: readonly string[]
}

/** A probe, its parameters and this host's facts, ready to run. Pure data and one pure function. */
export interface Plan {
  /** With the names that its enums have on this host, without the event types that are switched off. */
  readonly probe: ProbeSpec
  /** The switches that are on. */
  readonly switches: readonly string[]
  readonly variant: VariantSpec
  /** What it does without on this host, for people. */
  readonly without: readonly string[]
  /** Of bpftrace; null for another back-end. */
  readonly dialect: Dialect | null
  /** What the kernel's times of its events are. */
  readonly clock: Dialect['clock']
  readonly layouts: readonly RecordLayout[]
  readonly considered: readonly Consideration[]
  /** What was asked for and is not in the program, with the reasons. */
  readonly leftOut: readonly string[]
  readonly filters: readonly { readonly filter: AnyFilter; readonly applied: Applied }[]
  readonly buffers: Buffers
  /** The child needs a mount namespace of its own with tracefs in it. */
  readonly privateTracefs: boolean
  readonly canGate: boolean
  readonly summary: SummaryPlan | null
  /** Null for a probe that is not attached to interfaces. */
  readonly place: Place | null
  /** What closes the gate, or why there is none; for people. */
  readonly gate: string
  /** What stands for the secrets of a run where the program is only shown. */
  readonly placeholders: Secrets
  /** The program. */
  render(secrets: Secrets): string
  /** What the child reads: the program, or what its driver needs together with it. */
  input(secrets: Secrets): string
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
      remedy: `ebpf-run plan ${spec.name}   shows what works here`,
    })
  }
  requirePrivileges(facts)
  const { chosen, considered } = choose(spec, request, facts)
  if (chosen === null) throw noVariant(spec, request, considered, facts)
  return completePlan(probe, chosen, request, facts, considered)
}

/** Whether the choice cannot be made without a look at bcc, which nobody takes before: it means to start Python. */
export function asksForBcc({ spec }: LoadedProbe, request: PlanRequest, facts: HostFacts): boolean {
  if (facts.bcc !== undefined || facts.privileged.is === 'no') return false
  const { chosen } = choose(spec, request, facts)
  const isAsked = (variant: VariantSpec) =>
    variant.backend === 'bcc' && !notAskedFor(variant, request)
  return chosen === null && spec.variants.some(isAsked)
}

interface Choice {
  readonly chosen: VariantSpec | null
  readonly considered: readonly Consideration[]
}

/** The first variant that nothing speaks against, and what speaks against those before it. */
function choose(spec: ProbeSpec, request: PlanRequest, facts: HostFacts): Choice {
  const dialect = dialectOfHost(facts)
  const considered: Consideration[] = []
  let chosen: VariantSpec | null = null
  for (const variant of spec.variants) {
    const against =
      chosen === null
        ? objections(variant, request, facts, dialectOf(variant, dialect))
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
function dialectOf({ backend }: VariantSpec, dialect: Dialect | null): Dialect | null {
  return backend === 'bpftrace' ? dialect : null
}

function evidenceOf({ needs }: VariantSpec, facts: HostFacts, dialect: Dialect | null): string {
  return needs.map((need) => checkNeed(need, facts, dialect).evidence).join('; ')
}

function completePlan(
  probe: LoadedProbe,
  variant: VariantSpec,
  request: PlanRequest,
  facts: HostFacts,
  considered: readonly Consideration[],
): Plan {
  const switches = request.switches ?? []
  const spec = withNames(withSwitches(probe.spec, switches), facts.tracepoints)
  const dialect = dialectOf(variant, dialectOfHost(facts))
  const layouts = layoutsOfProbe(spec.events, fieldsLeftOut(spec, variant, switches))
  const options = mapValues(variant.options ?? {}, (need) =>
    typeof need === 'boolean' ? need : checkNeed(need, facts, dialect).is === 'yes',
  )
  const common = {
    where: `${spec.name}/${variant.template}`,
    nodes: nodesOf(probe, variant),
    events: spec.events,
    layouts,
    libraries: facts.libraries ?? {},
    options: {
      ...options,
      ...mapValues(spec.switches ?? {}, (_, name) => switches.includes(name)),
    },
    params: { ...defaultParams(spec), ...request.params },
    filters: request.filters,
    summary: request.summary ? planSummary(request.summary, layouts) : null,
    isScript: spec.script !== undefined,
  }
  const follows = request.filters.some((filter) => filter.by === 'command')
  if (follows) requireDescendants(facts)
  const hasHeaders = variant.needs.some((need) => 'headers' in need)
  const placeholders = { token: placeholderToken, gatePid: 1, commandPid: follows ? 1 : null }
  const pattern = probe.templates[variant.name] ?? 'null'
  const way =
    variant.backend === 'tracefs'
      ? tracefsPlan({ ...common, pattern }, facts, request.bufferBytes)
      : dialect === null
        ? bccPlan(
            { ...common, place: request.place ?? null, hasHeaders },
            facts,
            request.bufferBytes,
          )
        : bpftracePlan({ ...common, dialect }, facts, request.bufferBytes)
  const { applied } = way.program(placeholders)
  if (common.summary !== null) requireKernelFilters(applied, request.filters)
  return {
    probe: spec,
    switches,
    variant,
    without: (variant.without ?? []).flatMap((lack) =>
      lack.options.some((name) => options[name]) ? [] : [lack.says],
    ),
    dialect,
    clock: way.clock,
    layouts,
    considered,
    leftOut: probe.leftOut ?? [],
    filters: request.filters.map((filter, index) => ({
      filter,
      applied: applied[index] ?? 'after',
    })),
    buffers: way.buffers,
    privateTracefs: facts.tracefs.is !== 'yes',
    summary: common.summary,
    place: request.place ?? null,
    canGate: way.canGate,
    gate: way.gate,
    placeholders,
    render: (secrets) => way.program(secrets).text,
    input: way.input,
  }
}

/** What a back-end adds to a plan. */
export interface Way {
  readonly clock: Dialect['clock']
  readonly buffers: Buffers
  readonly canGate: boolean
  readonly gate: string
  program(secrets: Secrets): Program
  input(secrets: Secrets): string
}

function bpftracePlan(
  common: Omit<ProgramInput, 'members' | 'canGate'>,
  facts: HostFacts,
  bufferBytes: number | null,
): Way {
  const gated = canGate(facts)
  const input = { ...common, members: facts.members, canGate: gated }
  const program = (secrets: Secrets): Program => renderProgram(input, secrets)
  return {
    clock: common.dialect.clock,
    buffers: chooseBuffers(facts, common.dialect, bufferBytes),
    canGate: gated,
    gate: gated
      ? 'signal:signal_generate'
      : 'none (not in the initial pid namespace, or no such tracepoint): the end is taken from the clock',
    program,
    input: (secrets) => program(secrets).text,
  }
}

/**
 * The layouts of a grouping. Throws BAD_VALUE for a field that cannot be a key, has no histogram or is no figure to sort by, and for
 * a range that is none.
 */
function planSummary(request: SummaryRequest, layouts: readonly RecordLayout[]): SummaryPlan {
  const { histogram, sort = null, intervalMs } = request
  const groups = groupsOf(request, layouts)
  if (sort !== null) requireFigure(sort, groups)
  return { groups, histogram, sort, intervalMs }
}

function groupsOf(
  { by, histogram, linear = null }: SummaryRequest,
  layouts: readonly RecordLayout[],
): readonly GroupLayout[] {
  const all = groupLayouts(layouts, by)
  if (histogram === null) return all
  const groups = all
    .map((group) => ({
      ...group,
      measures: group.measures
        .filter(({ name }) => name === histogram)
        .map((measure) =>
          linear === null
            ? measure
            : { ...measure, linear: parseLinearRange('linear', linear, measure.spec) },
        ),
    }))
    .filter((group) => group.measures.length > 0)
  if (groups.length > 0) return groups
  const known = quantitiesOf(all)
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--hist: '${histogram}' is no quantity of these events`,
    expected: known.length > 0 ? known.join(', ') : 'nothing: this variant has no quantity',
    found: histogram,
    remedy: '--summary counts; ebpf-run describe PROBE shows the fields',
  })
}

/** Throws BAD_VALUE. */
function requireFigure(sort: string, groups: readonly GroupLayout[]): void {
  const known = ['count', ...quantitiesOf(groups)]
  if (known.includes(sort)) return
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--sort: '${sort}' is no figure of these groups`,
    expected: known.join(', '),
    found: sort,
    remedy: `--sort ${known.at(-1)}`,
  })
}

function quantitiesOf(groups: readonly GroupLayout[]): readonly string[] {
  return [...new Set(groups.flatMap(({ measures }) => measures.map(({ name }) => name)))]
}

/** What is counted in the kernel cannot be taken out again. Throws CONFLICT. */
function requireKernelFilters(applied: Program['applied'], filters: PlanRequest['filters']): void {
  const late = filters.filter((_, index) => applied[index] !== 'kernel')
  if (late.length === 0) return
  throw new EbpfRunError({
    code: 'CONFLICT',
    message: `${late.map(({ flag }) => `--${flag}`).join(', ')}: this variant cannot apply it in the kernel, where --summary and --hist count`,
    remedy: 'another --variant, or leave out the filter and group --by its field',
  })
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
  const blind = request.filters.flatMap((filter) =>
    filter.by !== 'outcome' && filter.field in variant.cannotTell
      ? [
          `cannot tell ${filter.field}, which --${filter.flag} asks for: ${variant.cannotTell[filter.field]}`,
        ]
      : [],
  )
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
function notAskedFor(variant: VariantSpec, request: PlanRequest): string | null {
  if (request.variant !== null && request.variant !== variant.name)
    return `--variant ${request.variant} was asked for`
  return request.backend !== null && request.backend !== variant.backend
    ? `--backend ${request.backend} was asked for`
    : null
}

function factText(fact: Fact): string {
  return fact.is === 'unknown' ? `could not tell (${fact.evidence})` : fact.evidence
}

function noVariant(
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

function defaultParams(spec: ProbeSpec): Record<string, number> {
  return Object.fromEntries(
    Object.entries(spec.params ?? {}).map(([name, param]) => [name, param.default]),
  )
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  of: (value: A, name: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, of(value, name)]))
}
