import type { Signature } from '../host/btf-types.ts'
import type { TracepointField } from '../host/facts.ts'
import { EbpfRunError } from '../errors.ts'
import { common } from '../schema/common.ts'
import type { VariantSpec } from '../schema/define.ts'
import { type Value, valueTypeOf } from './compile.ts'
import { asInt, inRegisters, tracepointType } from './fields.ts'
import {
  type AttachPoint,
  attachPointText,
  type FunctionPoint,
  isUserPoint,
  type UserPoint,
} from './point.ts'
import type { Known, TraceRequest } from './request.ts'
import { userWay, userWayInC } from './user-ways.ts'

/** How one variant names things. */
export interface Way {
  readonly name: string
  /** Of the template; absent: that of bpftrace. */
  readonly language?: 'c'
  readonly needs: VariantSpec['needs']
  readonly scope: Readonly<Record<string, Value>>
  /** Names that are there and have no value, with the reason. */
  readonly lacks?: Readonly<Record<string, string>>
  /** Attach points: at the call, and where the event is emitted. */
  readonly entry: string | null
  readonly attach: string
  /** Statements that stand before all else where the event is emitted. */
  readonly before?: readonly string[]
  /** Keeps at the call what is gone at the return. */
  readonly keep: readonly string[]
  readonly forget: readonly string[]
  /** Fields that it leaves null, with the reason. */
  readonly cannotTell?: Readonly<Record<string, string>>
  readonly misses: string
  readonly cost: string
}

/** The ways in which a trace can be done, the best first; none where nothing is known of the attach point. Throws CONFLICT. */
export function waysOf(request: TraceRequest, known: Known): readonly Way[] {
  const { point, latency } = request
  if (point.type === 'tracepoint') {
    if (request.atReturn || latency)
      throw new EbpfRunError({
        code: 'CONFLICT',
        message: `${latency ? '--latency' : '--return'} is for functions: a tracepoint has no return`,
        remedy:
          point.category === 'syscalls'
            ? `tracepoint:syscalls:${point.name.replace('sys_enter_', 'sys_exit_')} is the call's return`
            : 'trace the function that it stands in',
      })
    return known.fields === null ? [] : tracepointWays(point, known.fields, request)
  }
  if (isUserPoint(point)) {
    refuseKernelOptions(point, request)
    const mark = known.mark ?? null
    return [userWay(point, request, mark), userWayInC(point, request, mark)]
  }
  if (point.type === 'rawtracepoint')
    return known.signature === null ? [] : [rawWay(point.name, known.signature, known.category)]
  return functionWays(point, request, known)
}

/** What has no meaning at a function or mark of user space. Throws CONFLICT. */
function refuseKernelOptions(point: UserPoint, request: TraceRequest): void {
  const [option, why] =
    point.type === 'usdt' && request.latency
      ? ['--latency', 'a mark has no return']
      : point.type === 'usdt' && request.atReturn
        ? ['--return', 'a mark has no return']
        : request.stack
          ? ['--stack', "it shows the kernel's calls, and none leads to a program"]
          : []
  if (option === undefined) return
  throw new EbpfRunError({
    code: 'CONFLICT',
    message: `${option} is not for ${attachPointText(point)}: ${why}`,
    remedy: `leave out ${option}`,
  })
}

/** bpftrace that reads the texts that lie behind a record: 0.11 refuses them, 0.22 and 0.23 read them as empty. */
const readsLocated = '>=0.12.0 <0.22.0 || >=0.24.0'

/** A second way leaves those texts out, unless they were asked for. */
function tracepointWays(
  point: AttachPoint & { type: 'tracepoint' },
  fields: readonly TracepointField[],
  request: TraceRequest,
): readonly Way[] {
  const located = fields.filter(({ type }) => type.includes('_loc '))
  if (located.length === 0) return [tracepointWay(point, fields)]
  const all = tracepointWay(point, fields)
  const full = { ...all, needs: [{ bpftrace: readsLocated }, ...all.needs] }
  const sources = [request.where ?? '', ...request.fields.map(({ source }) => source)].join(' ')
  if (located.some(({ name }) => new RegExp(`\\b${name}\\b`).test(sources))) return [full]
  const rest = tracepointWay(
    point,
    fields.filter((field) => !located.includes(field)),
  )
  const why = 'this bpftrace cannot read such a text of a tracepoint'
  const cannotTell = Object.fromEntries(
    request.fields.length > 0 ? [] : located.map(({ name }) => [freeName(name), why]),
  )
  return [full, { ...rest, name: 'withouttexts', cannotTell }]
}

/** A field's own name, unless it is one of ours. */
export const freeName = (name: string): string => (name in common ? `args_${name}` : name)

function tracepointWay(
  point: AttachPoint & { type: 'tracepoint' },
  fields: readonly TracepointField[],
): Way {
  const isSyscall = point.category === 'syscalls'
  const scope = Object.fromEntries(
    fields.flatMap((field) => {
      const type = tracepointType(field, isSyscall)
      if (type === null || field.name === '__syscall_nr') return []
      const code = `args->${field.name}`
      const isLocated = field.type.includes('_loc')
      const value: Value = {
        type,
        code:
          type.is === 'int' && type.size < 8
            ? asInt(code, type)
            : type.is === 'text' && isLocated
              ? `str(${code})`
              : code,
      }
      return [[field.name, value]]
    }),
  )
  const name = `${point.category}:${point.name}`
  return {
    name: 'tracepoint',
    needs: [{ tracepoint: name, fields: Object.keys(scope) }],
    scope,
    entry: null,
    attach: `tracepoint:${name}`,
    keep: [],
    forget: [],
    misses: 'what happens while another tracing program runs on that CPU',
    cost: 'a tracepoint program an event',
  }
}

function rawWay(name: string, signature: Signature, category: string | null): Way {
  return {
    name: 'rawtracepoint',
    needs: [{ tracepoint: `${category ?? 'raw'}:${name}`, raw: true }],
    scope: argumentScope(signature, (_, index) => `arg${index}`),
    entry: null,
    attach: `rawtracepoint:${name}`,
    keep: [],
    forget: [],
    misses:
      'nothing; from Linux 7.0 on what happens while the program itself was preempted on that CPU',
    cost: 'a raw tracepoint program an event',
  }
}

/** Arguments by name, and as arg0, arg1 where BTF has no name. */
function argumentScope(
  signature: Signature,
  codeOf: (name: string, index: number) => string,
): Record<string, Value> {
  return Object.fromEntries(
    signature.arguments.flatMap(({ name, type }, index) => {
      if (type.as === 'other') return []
      const valueType = valueTypeOf(type, type.size)
      const plain = codeOf(name, index)
      const code = valueType.is === 'int' && valueType.size < 8 ? asInt(plain, valueType) : plain
      return [[name === '' ? `arg${index}` : name, { type: valueType, code }]]
    }),
  )
}

function functionWays(
  point: FunctionPoint,
  { atReturn, latency, part }: TraceRequest,
  known: Known,
): readonly Way[] {
  const signature: Signature = known.signature ?? { name: point.name, arguments: [], returns: null }
  const isWrapper = isCallWrapper(point, known)
  const returns = atReturn || latency || (point.type !== 'function' && point.atReturn)
  const retval: Record<string, Value> =
    returns && signature.returns !== null && signature.returns.as !== 'other'
      ? { retval: returnValue(signature.returns) }
      : {}
  const fentry: Way = {
    name: returns ? 'fexit' : 'fentry',
    needs: [{ bpftrace: '>=0.16.0' }, { function: point.name, by: 'fentry' }],
    scope: {
      ...(isWrapper
        ? wrapperScope(known.fields ?? [])
        : argumentScope(signature, (name) => `args->${name}`)),
      ...retval,
    },
    entry: latency ? `{{entry ${point.name}}}` : null,
    attach: `{{${returns ? 'exit' : 'entry'} ${point.name}}}`,
    before: isWrapper
      ? wrapperReads(known.fields ?? [], `args->${signature.arguments[0]?.name ?? 'regs'}`)
      : [],
    keep: [],
    forget: [],
    misses: 'nothing: a trampoline runs also while another tracing program does',
    cost: 'a trampoline a call',
  }
  const seen = { ...signature, arguments: inRegisters(signature) }
  const entryScope = isWrapper
    ? wrapperScope(known.fields ?? [])
    : argumentScope(seen, (_, index) => `arg${index}`)
  const reads = isWrapper ? wrapperReads(known.fields ?? [], 'arg0') : []
  const kept = returns
    ? Object.keys(entryScope).map((name, index) => ({
        name,
        map: `@a${index}${part?.maps ?? ''}[tid]`,
      }))
    : []
  const kprobe: Way = {
    name: returns ? 'kretprobe' : 'kprobe',
    needs: [{ function: point.name, by: 'kprobe' }],
    scope: {
      ...entryScope,
      ...Object.fromEntries(
        kept.map(({ name, map }) => [name, { ...(entryScope[name] ?? none), code: map }]),
      ),
      ...retval,
    },
    entry: returns ? `kprobe:${point.name}` : null,
    attach: `${returns ? 'kretprobe' : 'kprobe'}:${point.name}`,
    before: returns ? [] : reads,
    keep: [
      ...(returns ? reads : []),
      ...kept.map(({ name, map }) => `${map} = ${keptCode(entryScope[name] ?? none)};`),
    ],
    forget: kept.map(({ map }) => `delete(${map});`),
    misses: returns
      ? 'calls made while another tracing program runs on that CPU, and returns when more calls are under way at once than the kernel has kretprobe instances'
      : 'calls made while another tracing program runs on that CPU',
    cost: returns ? 'a kprobe and a kretprobe a call' : 'a kprobe a call',
  }
  const ways =
    point.type === 'fentry' ? [fentry] : point.type === 'kprobe' ? [kprobe] : [fentry, kprobe]
  return known.signature === null ? ways.filter((way) => way === kprobe) : ways
}

/** Whether a function is where a system call enters, and the call's arguments are known. */
export function isCallWrapper({ name }: AttachPoint, { fields }: Known): boolean {
  return name.startsWith('__x64_sys_') && fields !== null
}

/** The registers that hold a system call's arguments (x86-64 ABI), by their names in `struct pt_regs`. */
const callRegisters = ['di', 'si', 'dx', 'r10', 'r8', 'r9'] as const

/** The arguments of a system call, whose wrapper gets no more than a pointer to the registers; `reads` fetches them. */
function wrapperScope(fields: readonly TracepointField[]): Record<string, Value> {
  return Object.fromEntries(
    ownArguments(fields).flatMap((field, index) => {
      const type = tracepointType(field, true)
      if (type === null) return []
      const code = `$r${index}`
      const isNarrow = type.is === 'int' && type.size < 8
      return [[field.name, { type, code: isNarrow ? asInt(code, type) : code }]]
    }),
  )
}

const wrapperReads = (fields: readonly TracepointField[], regs: string): readonly string[] =>
  ownArguments(fields).map(
    (_, index) => `$r${index} = {{read pt_regs.${callRegisters[index] ?? ''} ${regs}}};`,
  )

const ownArguments = (fields: readonly TracepointField[]): readonly TracepointField[] =>
  fields.filter(({ name }) => name !== '__syscall_nr').slice(0, callRegisters.length)

const none: Value = { type: { is: 'int', size: 8, signed: false }, code: '0' }

/** A map holds 64 bits of one sign. */
const keptCode = ({ type, code }: Value): string =>
  `(${type.is === 'int' && type.signed ? 'int64' : 'uint64'})(${code})`

function returnValue(type: NonNullable<Signature['returns']>): Value {
  const valueType = valueTypeOf(type, type.size)
  return {
    type: valueType,
    code: valueType.is === 'int' && valueType.size < 8 ? asInt('retval', valueType) : 'retval',
  }
}
