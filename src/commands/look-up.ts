import {
  type AttachPoint,
  attachPointText,
  type FunctionPoint,
  isUserPoint,
  nameInFile,
  type UserPoint,
} from '../attach/point.ts'
import type { Known } from '../attach/request.ts'
import { markOf } from '../attach/usdt.ts'
import { EbpfRunError } from '../errors.ts'
import { withAttachPoints } from '../host/attach-point-cache.ts'
import { memberNames, memberOf, rawTracepointOf, signatureOf } from '../host/btf-types.ts'
import type { HostFacts } from '../host/facts.ts'
import { gatherFacts } from '../host/gather.ts'
import { openKernelBtf } from '../host/kernel-btf.ts'
import { markPlaces } from '../host/usdt.ts'
import { marksAt, readUserFile } from '../host/user-points.ts'
import { requirePrivileges } from '../plan/requirements.ts'
import type { TracePoint, TraceWords } from './trace-words.ts'
import { noSuchPoint } from './user-point-list.ts'

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
  // Members are asked for as expressions are read: it stays open as long as the command runs.
  const { btf } = openKernelBtf(env)
  const files = new Map<string, ReturnType<typeof readUserFile>>()
  const found: LookedUp[] = []
  for (const each of trace) {
    const { point } = each
    if (isUserPoint(point)) {
      const read = files.get(point.file) ?? readUserFile(point.file, env)
      files.set(point.file, read)
      found.push(lookIntoFile(point, each.fields, read, isSeveral))
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
  point: UserPoint,
  fields: TracePoint['fields'],
  file: ReturnType<typeof readUserFile>,
  isSeveral: boolean,
): LookedUp {
  const known: Known = {
    ...{ fields: null, signature: null, category: null },
    member: () => null,
    members: () => [],
  }
  if ('why' in file) {
    if (isSeveral) return { point: { point, fields }, known, missing: file.why }
    throw new EbpfRunError({ code: 'NO_MATCH', message: `${attachPointText(point)}: ${file.why}` })
  }
  const notes = marksAt(point, file)
  const isThere =
    point.type === 'usdt'
      ? notes.length > 0
      : file.functions.some(({ name }) => name === point.name)
  const lack = isThere
    ? null
    : noSuchPoint(file, { type: point.type, file: point.file, wanted: nameInFile(point) })
  if (lack !== null && !isSeveral) throw lack
  return {
    point: { point: { ...point, file: file.path }, fields },
    known:
      notes.length === 0 ? known : { ...known, mark: markOf(markPlaces(notes, file.addressOf)) },
    missing: lack?.message ?? null,
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
  const line = new RegExp(`^tracepoint:(\\w+):${name}$`, 'm')
  return withAttachPoints(env, (list) => line.exec(list.textOf('tracepoint'))?.[1] ?? null)
}
