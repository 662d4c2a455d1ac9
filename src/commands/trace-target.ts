import { type AttachPoint, parseAttachPoint } from '../attach/point.ts'
import { parseFieldRequest } from '../attach/asked-field.ts'
import { defineTrace } from '../attach/define.ts'
import type { Known, TraceRequest } from '../attach/request.ts'
import { attachPointList } from '../host/attach-point-cache.ts'
import { memberNames, memberOf, openBtf, rawTracepointOf, signatureOf } from '../host/btf-types.ts'
import { gatherFacts } from '../host/gather.ts'
import { readBytes } from '../host/read.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { requirePrivileges } from '../plan/requirements.ts'

/** The words of `trace`, apart from its options: the attach point, then `field=expression`. */
export interface TraceWords {
  readonly point: AttachPoint
  readonly fields: TraceRequest['fields']
}

/** Takes the leading words that are no options. Throws BAD_VALUE. */
export function readTraceWords(words: readonly string[]): {
  readonly trace: TraceWords
  readonly rest: readonly string[]
} {
  const end = words.findIndex((word) => word.startsWith('-'))
  const own = end === -1 ? words : words.slice(0, end)
  const [point = '', ...fields] = own
  return {
    trace: { point: parseAttachPoint(point), fields: fields.map(parseFieldRequest) },
    rest: words.slice(own.length),
  }
}

/** What this kernel has at an attach point, looked up once. */
export async function knownOf(point: AttachPoint, env: NodeJS.ProcessEnv): Promise<Known> {
  const tracepoint = tracepointOf(point)
  const facts = await gatherFacts(
    { tracepoints: tracepoint === null ? [] : [tracepoint], functions: [], members: [] },
    { env },
  )
  // A format that could not be read is not one that is not there.
  if (point.type === 'tracepoint' && facts.tracepoints[tracepoint ?? ''] === undefined)
    requirePrivileges(facts)
  const file = readBytes('/sys/kernel/btf/vmlinux')
  const btf = 'errno' in file ? null : openBtf(file.bytes)
  return {
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
}

/** A tracepoint, or that of the system call which a function is the wrapper of. */
function tracepointOf(point: AttachPoint): string | null {
  if (point.type === 'tracepoint') return `${point.category}:${point.name}`
  if (point.type === 'rawtracepoint') return null
  const [, call = null] = /^__x64_sys_(\w+)$/.exec(point.name) ?? []
  return call === null ? null : `syscalls:sys_enter_${call}`
}

/** Where the events of this kernel have one of that name. */
async function categoryOf(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  const { text } = await attachPointList(env)
  return new RegExp(`^tracepoint:(\\w+):${name}$`, 'm').exec(text)?.[1] ?? null
}

/** The probe that a trace is. */
export function probeOf(
  words: TraceWords,
  known: Known,
  asked: Pick<TraceRequest, 'where' | 'atReturn' | 'latency' | 'stack'>,
): LoadedProbe {
  return defineTrace({ ...words, ...asked }, known)
}
