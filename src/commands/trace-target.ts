import { defineTrace } from '../attach/define.ts'
import { joinProbes, onlyVariant, partNames } from '../attach/join.ts'
import {
  type AttachPoint,
  attachPointText,
  type FunctionPoint,
  isUserPoint,
  type UserPoint,
} from '../attach/point.ts'
import type { Known, MadeProbe, TraceRequest } from '../attach/request.ts'
import { parseUsdtArguments } from '../attach/usdt-arguments.ts'
import { EbpfRunError } from '../errors.ts'
import { attachPointList } from '../host/attach-point-cache.ts'
import { memberNames, memberOf, openBtf, rawTracepointOf, signatureOf } from '../host/btf-types.ts'
import type { HostFacts, Questions } from '../host/facts.ts'
import { gatherFacts } from '../host/gather.ts'
import { readBytes } from '../host/read.ts'
import { readUserFile } from '../host/user-points.ts'
import { asksForBcc, type LoadedProbe, makePlan } from '../plan/plan.ts'
import { questionsOf } from '../plan/questions.ts'
import { requirePrivileges } from '../plan/requirements.ts'
import { withBcc } from './plan-on-host.ts'
import type { TracePoint, TraceWords } from './trace-words.ts'

/** What is asked of every attach point. */
export type Shape = Pick<TraceRequest, 'atReturn' | 'latency' | 'stack' | 'drawn'>

/** A trace's words and what this kernel has at each of its attach points. */
export interface LookedUp {
  readonly point: TracePoint
  readonly known: Known
  /** Why nothing can be traced there: this kernel has no such function or event. */
  readonly missing: string | null
}

/** What this kernel has at each attach point, looked up once. */
export async function lookUp(
  trace: TraceWords,
  env: NodeJS.ProcessEnv,
): Promise<readonly LookedUp[]> {
  const tracepoints = trace.flatMap(({ point }) => tracepointOf(point) ?? [])
  const isSeveral = trace.length > 1
  // To look for functions takes time. One that is not there is told by the plan.
  const functions = isSeveral ? trace.flatMap(({ point }) => functionOf(point) ?? []) : []
  const facts = await gatherFacts({ tracepoints, functions, members: [] }, { env })
  const file = readBytes('/sys/kernel/btf/vmlinux')
  const btf = 'errno' in file ? null : openBtf(file.bytes)
  const found: LookedUp[] = []
  for (const each of trace) {
    const { point } = each
    if (isUserPoint(point)) {
      found.push(lookIntoFile({ point, fields: each.fields }, isSeveral, env))
      continue
    }
    const tracepoint = tracepointOf(point)
    // A format that could not be read is not one that is not there.
    if (point.type === 'tracepoint' && facts.tracepoints[tracepoint ?? ''] === undefined)
      requirePrivileges(facts)
    const known: Known = {
      fields: tracepoint === null ? null : (facts.tracepoints[tracepoint] ?? null),
      signature:
        btf === null || point.type === 'tracepoint'
          ? null
          : point.type === 'rawtracepoint'
            ? rawTracepointOf(btf, point.name)
            : signatureOf(btf, point.name),
      category: point.type === 'rawtracepoint' ? await categoryOf(point.name, env) : null,
      member: (path) => (btf === null ? null : memberOf(btf, path)),
      members: (struct) => (btf === null ? [] : memberNames(btf, struct)),
    }
    found.push({ point: each, known, missing: isSeveral ? missingAt(point, known, facts) : null })
  }
  return found
}

/** What a program or library has. Throws NO_MATCH where it is the only one of the trace. */
function lookIntoFile(
  { point, fields }: { readonly point: UserPoint; readonly fields: TracePoint['fields'] },
  isSeveral: boolean,
  env: NodeJS.ProcessEnv,
): LookedUp {
  const known: Known = {
    ...{ fields: null, signature: null, category: null },
    member: () => null,
    members: () => [],
  }
  const file = readUserFile(point.file, env)
  const marks =
    'why' in file || point.type !== 'usdt'
      ? []
      : file.marks.filter((mark) => mark.provider === point.provider && mark.name === point.name)
  const missing =
    'why' in file
      ? file.why
      : point.type === 'usdt' && marks.length === 0
        ? `${file.path} has no mark ${point.provider}:${point.name}`
        : point.type === 'uprobe' && !file.functions.some(({ name }) => name === point.name)
          ? `${file.path} has no function ${point.name}`
          : null
  if (missing !== null && !isSeveral)
    throw new EbpfRunError({
      code: 'NO_MATCH',
      message: `${attachPointText(point)}: ${missing}`,
      remedy: `ebpf-run list --attach-points '${point.type}:${point.file}:*'`,
    })
  const [mark] = marks
  return {
    point: { point: 'why' in file ? point : { ...point, file: file.path }, fields },
    known:
      mark === undefined
        ? known
        : {
            ...known,
            marked: parseUsdtArguments(mark.arguments),
            hasCounter: mark.semaphore !== 0n,
          },
    missing,
  }
}

function missingAt(
  point: FunctionPoint | KernelEvent,
  known: Known,
  facts: HostFacts,
): string | null {
  if (point.type === 'tracepoint')
    return known.fields === null ? 'this kernel has no such event' : null
  if (known.signature !== null) return null
  if (point.type === 'rawtracepoint') return 'BTF has no such raw tracepoint'
  const fact = facts.functions[point.name]
  return fact?.is === 'no' ? fact.evidence : null
}

type KernelEvent = Extract<AttachPoint, { readonly type: 'tracepoint' | 'rawtracepoint' }>

/** A tracepoint, or that of the system call which a function is the wrapper of. */
function tracepointOf(point: AttachPoint): string | null {
  if (point.type === 'tracepoint') return `${point.category}:${point.name}`
  if (point.type === 'rawtracepoint' || isUserPoint(point)) return null
  const [, call = null] = /^__x64_sys_(\w+)$/.exec(point.name) ?? []
  return call === null ? null : `syscalls:sys_enter_${call}`
}

function functionOf(point: AttachPoint): string | null {
  return 'module' in point ? point.name : null
}

/** Where the events of this kernel have one of that name. */
async function categoryOf(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const list = await attachPointList(env)
  const line = new RegExp(`^tracepoint:(\\w+):${name}$`)
  return list.linesWith(`:${name}\n`).flatMap((each) => line.exec(each)?.[1] ?? [])[0] ?? null
}

/** One attach point among those of a trace: its probe, or why there is none. */
export interface Part {
  readonly text: string
  readonly probe: MadeProbe
}

/** What a trace is made of: a probe for each attach point, and those that cannot be traced, with the reasons. */
export interface Parts {
  readonly parts: readonly Part[]
  readonly leftOut: readonly string[]
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
export function probeOf({ parts, leftOut }: Parts): LoadedProbe {
  const [first] = parts
  if (parts.length === 1 && first !== undefined && leftOut.length === 0) return first.probe
  return { ...joinProbes(parts.map(({ probe }) => probe)), leftOut }
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
  return ofOneBackend({ parts: chosen, leftOut: out })
}

/** One program runs by bpftrace or by bcc: where some have no way but bcc, they are left out. */
function ofOneBackend({ parts, leftOut }: Parts): Parts {
  const isBcc = ({ probe }: Part) => probe.spec.variants[0]?.backend === 'bcc'
  if (parts.every(isBcc)) return { parts, leftOut }
  return {
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
