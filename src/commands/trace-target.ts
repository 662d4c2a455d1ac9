import { defineTrace } from '../attach/define.ts'
import { joinProbes, onlyVariant, partNames } from '../attach/join.ts'
import { attachPointText } from '../attach/point.ts'
import type { MadeProbe, TraceRequest } from '../attach/request.ts'
import { EbpfRunError } from '../errors.ts'
import type { HostFacts, Questions } from '../host/facts.ts'
import { gatherFacts } from '../host/gather.ts'
import { asksForBcc, type LoadedProbe, makePlan } from '../plan/plan.ts'
import { questionsOf } from '../plan/questions.ts'
import type { LookedUp } from './look-up.ts'
import { withBcc } from './plan-on-host.ts'

/** What is asked of every attach point. */
export type Shape = Pick<TraceRequest, 'atReturn' | 'latency' | 'stack' | 'drawn'>

/** One attach point among those of a trace: its probe, or why there is none. */
export interface Part {
  readonly text: string
  readonly probe: MadeProbe
}

/** What a trace is made of: a probe for each attach point, and those that cannot be traced, with the reasons. */
export interface Parts {
  readonly parts: readonly Part[]
  readonly leftOut: readonly string[]
  /** Facts of this host by which the parts were chosen. */
  readonly facts?: HostFacts
}

/** The probes of a trace. Throws BAD_VALUE, CONFLICT, NO_MATCH where none is left. */
export function partsOf(found: readonly LookedUp[], shape: Shape, where: string | null): Parts {
  const names = found.length > 1 ? partNames(found.map(({ point }) => point.point)) : []
  const parts = found.flatMap(({ point, known, missing }, index) => {
    if (missing !== null) return []
    const part = names[index]
    const request = { ...point, ...shape, where, ...(part === undefined ? {} : { part }) }
    return [{ text: attachPointText(point.point), probe: defineTrace(request, known) }]
  })
  const leftOut = found.flatMap(({ point, missing }) =>
    missing === null ? [] : [`${attachPointText(point.point)}: ${missing}`],
  )
  if (parts.length === 0) throw nothingLeft(leftOut)
  return { parts, leftOut }
}

function nothingLeft(leftOut: readonly string[]): EbpfRunError {
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: 'none of these attach points can be traced here',
    detail: leftOut.join('\n'),
    remedy: 'ebpf-run describe ATTACH-POINT says more of one',
  })
}

/** The probe of a trace, before anybody looked at what this host can do. */
export function probeOf({ parts, leftOut, facts }: Parts): LoadedProbe {
  const [first] = parts
  if (parts.length === 1 && first !== undefined && leftOut.length === 0) return first.probe
  return {
    ...joinProbes(parts.map(({ probe }) => probe)),
    leftOut,
    ...(facts === undefined ? {} : { facts }),
  }
}

export const nothingAsked = {
  filters: [],
  params: {},
  variant: null,
  backend: null,
  bufferBytes: null,
}

/**
 * Chooses for each of several attach points the way that works on this host, and leaves out what has none. Throws what keeps all
 * of them from running.
 */
export async function chooseParts(
  { parts, leftOut }: Parts,
  backend: string | null,
  env: NodeJS.ProcessEnv,
): Promise<Parts> {
  const asked = parts.map(({ probe }) => questionsOf(probe))
  const request = { ...nothingAsked, backend }
  const first = await gatherFacts(allOf(asked), { env })
  const needsBcc = parts.some(({ probe }) => asksForBcc(probe, request, first))
  const facts = needsBcc ? await withBcc(first, env) : first
  const out = [...leftOut]
  const chosen: Part[] = []
  for (const { text, probe } of parts) {
    try {
      const { variant } = makePlan(probe, request, facts)
      chosen.push({ text, probe: onlyVariant(probe, variant) })
    } catch (error) {
      if (!(error instanceof EbpfRunError && error.code === 'NO_VARIANT')) throw error
      out.push(`${text}: ${(error.found ?? error.detail ?? error.message).replaceAll('\n', '; ')}`)
    }
  }
  if (chosen.length === 0) throw nothingLeft(out)
  return ofOneBackend({ parts: chosen, leftOut: out, facts })
}

/** One program runs by bpftrace or by bcc: where some have no way but bcc, they are left out. */
function ofOneBackend({ parts, leftOut, ...rest }: Parts): Parts {
  const isBcc = ({ probe }: Part) => probe.spec.variants[0]?.backend === 'bcc'
  if (parts.every(isBcc)) return { parts, leftOut, ...rest }
  return {
    ...rest,
    parts: parts.filter((part) => !isBcc(part)),
    leftOut: [
      ...leftOut,
      ...parts
        .filter(isBcc)
        .map(({ text }) => `${text}: only bcc can trace it here, and the others need bpftrace`),
    ],
  }
}

function allOf(questions: readonly Questions[]): Questions {
  const all = <T>(of: (each: Questions) => readonly T[]): readonly T[] => [
    ...new Set(questions.flatMap(of)),
  ]
  return {
    tracepoints: all(({ tracepoints }) => tracepoints),
    functions: all(({ functions }) => functions),
    libraryFunctions: questions.flatMap(({ libraryFunctions }) => libraryFunctions ?? []),
    members: all(({ members }) => members),
  }
}
