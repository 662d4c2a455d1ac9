import type { Questions } from '../host/facts.ts'
import type { FieldSpec, VariantSpec } from '../schema/define.ts'
import type { LoadedProbe } from './plan.ts'
import { membersRead, type Node, parseTemplate } from './template.ts'

/** The tracepoint that closes the end gate. */
export const gateTracepoint = 'signal:signal_generate'

/** The tracepoint that follows a command's descendants. */
export const forkTracepoint = 'sched:sched_process_fork'

/** What a plan for this probe will ask of the host. */
export function questionsOf(probe: LoadedProbe): Questions {
  const needs = probe.spec.variants.flatMap((variant) => [
    ...variant.needs,
    ...Object.values(variant.options ?? {}).filter((option) => typeof option !== 'boolean'),
  ])
  const fields = Object.values(probe.spec.events).flatMap((event): readonly FieldSpec[] =>
    Object.values(event.fields),
  )
  const read = probe.spec.variants.flatMap((variant) => membersRead(nodesOf(probe, variant)))
  return {
    tracepoints: unique([
      ...needs.flatMap((need) => ('tracepoint' in need ? [need.tracepoint] : [])),
      ...fields.flatMap(({ namesFrom }) => (namesFrom === undefined ? [] : [namesFrom.tracepoint])),
      gateTracepoint,
      forkTracepoint,
    ]),
    functions: unique(needs.flatMap((need) => ('function' in need ? [need.function] : []))),
    members: unique([...needs.flatMap((need) => ('btf' in need ? [need.btf] : [])), ...read]),
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
