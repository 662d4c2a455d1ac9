import { EbpfRunError } from '../errors.ts'
import type { ProbeSpec, VariantSpec } from '../schema/define.ts'
import type { SummaryShape } from '../schema/summary.ts'
import { fieldsLeftOut, switchesAsked, withSwitches } from '../schema/switches.ts'
import { type GroupLayout, groupLayouts } from '../wire/groups.ts'
import { layoutsOfProbe, type RecordLayout } from '../wire/layout.ts'
import { parseLinearRange } from './linear-range.ts'
import type { SummaryPlan } from './summary.ts'

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

/**
 * The layouts of a grouping. `judged`: fields that user space looks at to tell which groups are wanted. Throws BAD_VALUE for a field
 * that cannot be a key, has no histogram or is no figure to sort by, and for a range that is none.
 */
export function planSummary(
  request: SummaryRequest,
  layouts: readonly RecordLayout[],
  judged: readonly string[] = [],
): SummaryPlan {
  const { by, histogram, sort = null, intervalMs } = request
  const hidden = judged.filter((name) => !by.includes(name))
  const groups = groupsOf({ ...request, by: [...by, ...hidden] }, layouts).map((group) => ({
    ...group,
    hidden,
  }))
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

/** What says how groups look where no host is asked. */
export interface AnyHost {
  readonly switches: readonly string[]
  /** A variant by name; null: each. */
  readonly variant: string | null
  /** Only variants of this back-end; null: each. */
  readonly backend: string | null
}

/**
 * The groups of a run on any host: those of all variants that can group so, with the quantities that some of them do not have.
 * Throws BAD_VALUE for a variant that there is none of, and where none can group so.
 */
export function shapesOnAnyHost(
  spec: ProbeSpec,
  request: SummaryRequest,
  { switches, variant: wanted, backend }: AnyHost,
): readonly SummaryShape[] {
  const { events } = withSwitches(spec, switches)
  const leftOutOf = (variant: VariantSpec) => fieldsLeftOut(spec, variant, switches)
  const groupsWithout = (leftOut: ReadonlySet<string>) =>
    planSummary(request, layoutsOfProbe(events, leftOut)).groups
  const asked = spec.variants.filter(
    (variant) =>
      (wanted === null || variant.name === wanted) &&
      (backend === null || variant.backend === backend),
  )
  const tried = asked.map((variant) => ({
    variant,
    groups: attempt(() => groupsWithout(leftOutOf(variant))),
  }))
  const able = tried.flatMap(({ variant, groups }) =>
    groups instanceof EbpfRunError ? [] : [{ variant, groups }],
  )
  const [refusal] = tried.map(({ groups }) => groups)
  if (able.length === 0)
    throw refusal instanceof EbpfRunError ? refusal : noSuchVariant(spec, wanted ?? backend ?? '')
  const [first = new Set<string>(), ...others] = able.map(({ variant }) => leftOutOf(variant))
  const inNone = new Set([...first].filter((name) => others.every((each) => each.has(name))))
  const lacks = (groups: readonly GroupLayout[], event: string, measure: string) =>
    groups.some(
      (group) => group.event === event && !group.measures.some(({ name }) => name === measure),
    )
  return groupsWithout(inNone).map(({ event, keys, measures }) => ({
    event,
    keys,
    measures: measures.map((measure) => ({
      ...measure,
      absentIn: Object.fromEntries(
        able
          .filter(({ groups }) => lacks(groups, event, measure.name))
          .map(({ variant }) => [variant.name, variant.cannotTell[measure.name] ?? '']),
      ),
    })),
  }))
}

/** The groups of a probe that is counted in the kernel unless each event is asked for; null for any other. */
export function defaultShapes(spec: ProbeSpec): readonly SummaryShape[] | null {
  const { aggregate } = spec
  if (aggregate === undefined) return null
  const request = { by: aggregate.by, histogram: aggregate.histogram ?? null, intervalMs: null }
  return shapesOnAnyHost(spec, request, {
    switches: switchesAsked(spec, [], aggregate.by),
    variant: null,
    backend: null,
  })
}

function attempt<T>(act: () => T): T | EbpfRunError {
  try {
    return act()
  } catch (error) {
    if (error instanceof EbpfRunError) return error
    throw error
  }
}

function noSuchVariant({ name, variants }: ProbeSpec, found: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `${name} has no variant '${found}'`,
    expected: variants.map((variant) => variant.name).join(', '),
    found,
    remedy: `ebpf-run describe ${name}   shows its variants`,
  })
}
