import type { Questions } from '../host/facts.ts'
import type { FieldSpec, VariantSpec } from '../schema/define.ts'
import { hookFunctions } from './needs.ts'
import type { AnyFilter } from './filters.ts'
import type { LoadedProbe } from './plan.ts'
import { membersAsked } from './task-numbers.ts'
import { membersRead, type Node, parseTemplate } from './template.ts'

/** The tracepoint that closes the end gate. */
export const gateTracepoint = 'signal:signal_generate'

/** A kernel that has this helper has ring buffers (5.8). */
export const ringFunction = 'bpf_ringbuf_output'

/** The tracepoint that follows a command's descendants. */
export const forkTracepoint = 'sched:sched_process_fork'

/** What a plan for this probe with these filters will ask of the host. */
export function questionsOf(probe: LoadedProbe, filters: readonly AnyFilter[] = []): Questions {
  const needs = probe.spec.variants.flatMap((variant) => [
    ...variant.needs,
    ...Object.values(variant.options ?? {}).filter((option) => typeof option !== 'boolean'),
    ...Object.values(variant.switches ?? {}).flatMap((needs) =>
      typeof needs === 'string' ? [] : needs,
    ),
  ])
  const fields = Object.values(probe.spec.events).flatMap((event): readonly FieldSpec[] =>
    Object.values(event.fields),
  )
  // A C template reads by the kernel's headers.
  const read = probe.spec.variants
    .filter(({ backend }) => backend === 'bpftrace')
    .flatMap((variant) => membersRead(nodesOf(probe, variant)))
  return {
    tracepoints: unique([
      ...needs.flatMap((need) => ('tracepoint' in need ? [need.tracepoint] : [])),
      ...fields.flatMap(({ namesFrom }) => (namesFrom === undefined ? [] : [namesFrom.tracepoint])),
      gateTracepoint,
      forkTracepoint,
    ]),
    functions: unique([
      ...needs.flatMap((need) => ('function' in need ? [need.function] : [])),
      ...needs.flatMap((need) => ('hook' in need ? [hookFunctions[need.hook]] : [])),
      ...(probe.spec.variants.some(({ backend }) => backend === 'bcc') ? [ringFunction] : []),
    ]),
    symbols: unique(needs.flatMap((need) => ('symbol' in need ? [need.symbol] : []))),
    libraryFunctions: needs.flatMap((need) =>
      'uprobe' in need || 'usdt' in need
        ? [{ library: need.library, function: 'uprobe' in need ? need.uprobe : need.usdt }]
        : [],
    ),
    members: unique([
      ...needs.flatMap((need) => ('btf' in need ? [need.btf] : [])),
      ...read,
      ...membersAsked(filters),
    ]),
  }
}

/** A variant's template, parsed. */
export function nodesOf(probe: LoadedProbe, variant: VariantSpec): readonly Node[] {
  return parseTemplate(
    probe.templates[variant.name] ?? '',
    `${probe.spec.name}/${variant.template}`,
  )
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}
