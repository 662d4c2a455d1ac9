import { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import type { ProbeSpec, VariantSpec } from '../schema/define.ts'
import { withNames } from '../schema/names.ts'
import { fieldsLeftOut, withSwitches } from '../schema/switches.ts'
import { isAtLeast } from './versions.ts'
import { type RecordLayout, layoutsOfProbe } from '../wire/layout.ts'
import { bccPlan } from './bcc-plan.ts'
import { type Buffers, chooseBuffers } from './buffers.ts'
import { choose, type Consideration, dialectOf, notAskedFor, noVariant } from './choice.ts'
import type { Dialect } from './dialect.ts'
import { type AnyFilter, fieldsOfFilters } from './filters.ts'
import { planSummary } from './grouping.ts'
import { checkNeed } from './needs.ts'
import type { Place, PlanRequest } from './plan-request.ts'
import { forkTracepoint, gateTracepoint, nodesOf } from './questions.ts'
import {
  type Applied,
  type Program,
  type ProgramInput,
  renderProgram,
  type Secrets,
} from './render.ts'
import { dialectOfHost, requirePrivileges } from './requirements.ts'
import type { SummaryPlan } from './summary.ts'
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
  /** The kernel numbers processes as we do: the child's number means the child in a program. */
  readonly knowsPids: boolean
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
    summary: request.summary
      ? planSummary(request.summary, layouts, fieldsForGroups(spec, request.filters))
      : null,
    isScript: spec.script !== undefined,
  }
  const follows = request.filters.some((filter) => filter.by === 'command')
  if (follows) requireDescendants(facts)
  const hasHeaders = variant.needs.some((need) => 'headers' in need)
  const placeholders = {
    token: placeholderToken,
    childPid: 1,
    ownPid: 2,
    commandPid: follows ? 1 : null,
  }
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
  if (common.summary !== null) requireKernelFilters(spec, applied, request.filters)
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
    privateTracefs: facts.tracefs.is !== 'yes' || lacksDebugfs(variant, dialect, facts),
    summary: common.summary,
    place: request.place ?? null,
    canGate: way.canGate,
    knowsPids: facts.hostPidNamespace.is === 'yes',
    gate: way.gate,
    placeholders,
    render: (secrets) => way.program(secrets).text,
    input: way.input,
  }
}

/** bpftrace before 0.18 and bcc look for tracefs below /sys/kernel/debug alone (measured: 0.11 says that there is no tracepoint). */
function lacksDebugfs(
  { backend }: VariantSpec,
  dialect: Dialect | null,
  { tracefsInDebugfs }: HostFacts,
): boolean {
  const looksThere = backend === 'bcc' || (dialect !== null && !isAtLeast(dialect.since, '0.18.0'))
  return looksThere && tracefsInDebugfs?.is === 'no'
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

/** Fields of filters that only user space can judge, and which can be keys: counted by them, a group is wanted or not. */
function fieldsForGroups(
  { events }: ProbeSpec,
  filters: PlanRequest['filters'],
): readonly string[] {
  const isKey = (name: string): boolean =>
    Object.values(events).some(({ fields }) =>
      ['container', 'text'].includes(fields[name]?.kind ?? ''),
    )
  const late = filters.filter(({ by }) => by === 'pattern')
  return [...new Set(fieldsOfFilters(late).filter(isKey))]
}

/** What is counted in the kernel together with others cannot be taken out again. Throws CONFLICT. */
function requireKernelFilters(
  spec: ProbeSpec,
  applied: Program['applied'],
  filters: PlanRequest['filters'],
): void {
  const late = filters.filter(
    (filter, index) => applied[index] !== 'kernel' && fieldsForGroups(spec, [filter]).length === 0,
  )
  if (late.length === 0) return
  throw new EbpfRunError({
    code: 'CONFLICT',
    message: `${late.map(spoken).join(', ')}: this variant cannot apply it in the kernel, where --summary and --hist count`,
    remedy: late.some(({ by }) => by === 'command')
      ? 'another --variant; or --all, which counts the whole machine while the command runs'
      : 'another --variant, or leave out the filter and group --by its field',
  })
}

/** A filter as whoever asked for it knows it. */
const spoken = ({ by, flag }: AnyFilter): string => (by === 'command' ? '-- COMMAND' : `--${flag}`)

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
