import type { Signature } from '../host/btf-types.ts'
import type { TracepointField } from '../host/facts.ts'
import { EbpfRunError } from '../errors.ts'
import { common, tcpStates } from '../schema/common.ts'
import type { EventSpec, FieldSpec, Fields, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { compileExpression, inStatement, type Scope, type Value, valueTypeOf } from './compile.ts'
import { parseExpression } from './expression.ts'
import { asInt, emitted, fieldOf, inRegisters, tellingFields, tracepointType } from './fields.ts'
import { type AttachPoint, attachPointText } from './point.ts'

/** What is known of the attach point on this kernel. */
export interface Known {
  /** Of a function or a raw tracepoint. */
  readonly signature: Signature | null
  /** Of a tracepoint; of a function that is the wrapper of a system call, those of the call's own tracepoint. */
  readonly fields: readonly TracepointField[] | null
  /** Of a raw tracepoint: where its event is listed, which tells that it can be attached. */
  readonly category: string | null
  readonly member: Scope['member']
  readonly members: Scope['members']
}

/** One `field=expression[:kind]` of a command line, parsed. */
export interface FieldRequest {
  readonly name: string
  readonly source: string
  readonly kind: string | null
}

export interface TraceRequest {
  readonly point: AttachPoint
  readonly fields: readonly FieldRequest[]
  readonly where: string | null
  /** At the function's return; its own type may say so too. */
  readonly atReturn: boolean
  /** One event for each call, with the time from entry to return. */
  readonly latency: boolean
  /** Each event has the kernel's call stack. */
  readonly stack?: boolean
}

/** A probe that a program made: a definition, and a template for each variant. */
export interface MadeProbe {
  readonly spec: ProbeSpec
  readonly templates: Readonly<Record<string, string>>
}

/** How one variant names things. */
interface Way {
  readonly name: string
  readonly needs: VariantSpec['needs']
  readonly scope: Readonly<Record<string, Value>>
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

const tasks: Readonly<Record<string, Value>> = {
  pid: { type: { is: 'int', size: 4, signed: false }, code: 'pid' },
  tid: { type: { is: 'int', size: 4, signed: false }, code: 'tid' },
  uid: { type: { is: 'int', size: 4, signed: false }, code: 'uid' },
  cpu: { type: { is: 'int', size: 4, signed: false }, code: 'cpu' },
  cgroup: { type: { is: 'int', size: 8, signed: false }, code: 'cgroup' },
  ktime_ns: { type: { is: 'int', size: 8, signed: false }, code: 'nsecs' },
  comm: { type: { is: 'text', bytes: 15 }, code: 'comm' },
}

/** Kinds that a field may be given, and from which it can be made. */
const kindNames = ['u64', 'i64', 'hex', 'duration', 'result', 'user'] as const

/** The probe for a trace. Throws BAD_VALUE for what does not parse, has no such member, or is of no kind. */
export function defineTrace(request: TraceRequest, known: Known): MadeProbe {
  const { point } = request
  const ways = waysOf(request, known)
  const made = ways.map((way) => variantOf(way, request, known))
  const [first] = made
  if (first === undefined)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${attachPointText(point)}: nothing is known of it here`,
      remedy: `ebpf-run describe ${attachPointText(point)}`,
    })
  const event = eventName(point)
  const spec: ProbeSpec = {
    name: 'trace',
    summary: `${attachPointText(point)}${request.latency ? ', from entry to return' : ''}`,
    example: `ebpf-run trace ${attachPointText(point)}`,
    owner: 'task',
    events: { [event]: { ...first.event, table: tableOf(first.event.fields) } },
    ...failedOf(first.event.fields),
    variants: made.map(({ variant }) => variant),
  }
  return {
    spec,
    templates: Object.fromEntries(made.map(({ variant, template }) => [variant.name, template])),
  }
}

function eventName(point: AttachPoint): string {
  return point.name.replace(/[^a-z0-9_]/gi, '_').toLowerCase()
}

function failedOf(fields: Fields): Pick<ProbeSpec, 'failed'> {
  return fields['result']?.kind === 'result'
    ? { failed: [{ field: 'result', min: -4095, max: -1 }] }
    : {}
}

/** As many fields as fit into 80 columns. */
function tableOf(fields: Fields): readonly string[] {
  const own = Object.entries(fields).flatMap(([name, { kind }]) =>
    name in common || kind === 'stack' ? [] : [name],
  )
  return ['time', 'pid', 'comm', ...own].slice(0, 7)
}

function waysOf(request: TraceRequest, known: Known): readonly Way[] {
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
  if (point.type === 'rawtracepoint')
    return known.signature === null ? [] : [rawWay(point.name, known.signature, known.category)]
  return functionWays(point, request, known)
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
const freeName = (name: string): string => (name in common ? `args_${name}` : name)

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
  point: Exclude<AttachPoint, { type: 'tracepoint' | 'rawtracepoint' }>,
  { atReturn, latency }: TraceRequest,
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
    ? Object.keys(entryScope).map((name, index) => ({ name, map: `@a${index}[tid]` }))
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
function isCallWrapper({ name }: AttachPoint, { fields }: Known): boolean {
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

interface Variant {
  readonly variant: VariantSpec
  readonly event: Omit<EventSpec, 'table'>
  readonly template: string
}

function variantOf(way: Way, request: TraceRequest, known: Known): Variant {
  const scope: Scope = { ...known, names: { ...tasks, ...way.scope } }
  let used = 0
  const variable = () => `$v${(used += 1)}`
  const before: string[] = []
  const compile = (source: string, what: string): Value => {
    const compiled = compileExpression(parseExpression(source, what), scope, {
      source,
      what,
      variable,
    })
    before.push(...compiled.before)
    return compiled.value
  }
  const where = request.where === null ? null : compile(request.where, '--where')
  const wanted = request.fields.length > 0 ? request.fields : defaultFields(way, request, known)
  const fields = wanted.map(({ name, source, kind }) => ({
    name,
    ...fieldFor(name, compile(source, name), source, kind),
  }))
  const latency: readonly { name: string; spec: FieldSpec; code: string }[] = request.latency
    ? [
        {
          name: 'duration_ns',
          spec: { kind: 'duration', unit: 'ns', doc: 'from the call to its return', heading: 'MS' },
          code: 'nsecs - @start[tid]',
        },
      ]
    : []
  if (request.stack && fields.some(({ name }) => name === stackField.name))
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: "--stack adds a field 'stack', and there is one",
      remedy: 'name the fields that are wanted: FIELD=EXPRESSION',
    })
  const all = [...fields, ...latency, ...(request.stack ? [stackField] : [])]
  const event = eventName(request.point)
  const emit = [
    `{{emit ${event}`,
    'task',
    ...all.map(({ name, code }) => `${name} = ${code}`),
    '}}',
  ].join('\n    ')
  const guarded = where === null ? emit : `if (${inStatement(where.code)}) {\n  ${emit}\n  }`
  const keep = [...(request.latency ? ['@start[tid] = nsecs;'] : []), ...way.keep]
  const forget = [...(request.latency ? ['delete(@start[tid]);'] : []), ...way.forget]
  const isKept = request.latency ? '@start[tid]' : null
  const entry = way.entry === null || keep.length === 0 ? '' : block(way.entry, null, keep)
  const body = block(way.attach, isKept, [...(way.before ?? []), ...before, guarded, ...forget])
  return {
    variant: {
      name: way.name,
      backend: 'bpftrace',
      template: `${way.name}.bt`,
      needs: request.stack ? [...stackNeeds, ...way.needs] : way.needs,
      cannotTell: way.cannotTell ?? {},
      misses: way.misses,
      cost: way.cost,
    },
    event: {
      doc: `one ${request.point.type === 'tracepoint' ? 'event' : 'call'} of ${attachPointText(request.point)}`,
      fields: {
        ...common,
        ...Object.fromEntries(all.map(({ name, spec }) => [name, spec])),
      },
    },
    template: `${entry}${body}`,
  }
}

const stackField = {
  name: 'stack',
  spec: {
    kind: 'stack',
    emptyIsNull: true,
    doc: 'functions of the kernel that led here, the innermost first',
  },
  code: 'kstack',
} as const

/** Before that a format has 64 bytes, and one more text does not fit. */
const stackNeeds: VariantSpec['needs'] = [{ bpftrace: '>=0.16.0' }]

function block(attach: string, predicate: string | null, lines: readonly string[]): string {
  const condition = predicate === null ? '' : `/${predicate}/\n`
  return `${attach}\n${condition}{\n${lines.map((line) => `  ${line}\n`).join('')}}\n`
}

/** What shows an attach point best where nobody said what: every argument or field that can be shown. */
function defaultFields(way: Way, request: TraceRequest, known: Known): readonly FieldRequest[] {
  const { signature } = known
  const names = new Set<string>()
  const add = (name: string, source: string): readonly FieldRequest[] => {
    const free = names.has(name) ? `args_${name}` : freeName(name)
    if (!fieldName.test(free) || names.has(free)) return []
    names.add(free)
    return [{ name: free, source, kind: null }]
  }
  const { point } = request
  if (point.type === 'tracepoint' || isCallWrapper(point, known) || signature === null)
    return Object.entries(way.scope).flatMap(([name, { type }]) => {
      // The 16 bytes of an address hold every family; the 4 bytes beside them are junk for IPv6.
      if (type.is === 'address' && type.bytes === 4 && `${name}_v6` in way.scope) return []
      return add(type.is === 'address' ? name.replace(/_v6$/, '') : name, name)
    })
  const returned = way.scope['retval'] === undefined ? [] : add('retval', 'retval')
  const has = (path: string): boolean => known.member(path) !== null
  return [
    ...signature.arguments.flatMap((argument) =>
      way.scope[argument.name] === undefined
        ? []
        : tellingFields(argument, has).flatMap(({ name, source }) => add(name, source)),
    ),
    ...returned,
  ]
}

const fieldName = /^[a-z_][a-z0-9_]{0,31}$/

/** Reads `field=expression[:kind]`. Throws BAD_VALUE. */
export function parseFieldRequest(text: string): FieldRequest {
  const [, name = '', rest = ''] = /^([^=]*)=([^]*)$/.exec(text) ?? []
  if (!fieldName.test(name) || name in common || ['event', 'escaped', 'cut'].includes(name))
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'field=expression was expected',
      expected: `a name of small letters, digits and _ that is not ${Object.keys(common).join(', ')}`,
      found: JSON.stringify(text.slice(0, 120)),
      remedy: 'for example port=sk.__sk_common.skc_num',
    })
  const [, source = rest, kind = null] = /^([^]*):([a-z0-9]+)$/.exec(rest) ?? []
  if (kind !== null && !kindNames.some((each) => each === kind))
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${name}: there is no kind '${kind}'`,
      expected: kindNames.join(', '),
      found: text,
    })
  return { name, source, kind }
}

/** The field and its expression; a kind that was asked for must fit the value. */
function fieldFor(
  name: string,
  value: Value,
  source: string,
  kind: string | null,
): { spec: FieldSpec; code: string } {
  const bad = (expected: string): EbpfRunError =>
    new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${name}: ${source} is not ${expected}`,
      found: value.type.is,
    })
  if (kind === null) {
    const spec = fieldOf(value.type, source)
    if (spec === null) throw bad('a value by itself: name a member')
    const isState = name === 'state' && source.endsWith('skc_state')
    const states: FieldSpec = { kind: 'enum', names: tcpStates, doc: source }
    return { spec: isState ? states : spec, code: emitted(value) }
  }
  if (kind === 'user') {
    if (value.type.is !== 'text pointer') throw bad('a pointer to a text')
    const user: Value = { ...value, type: { is: 'text pointer', isUser: true } }
    return {
      spec: fieldOf(user.type, source) ?? { kind: 'text', doc: source },
      code: emitted(user),
    }
  }
  const isNumber =
    value.type.is === 'int' || value.type.is === 'pointer' || value.type.is === 'bool'
  if (!isNumber) throw bad('a number')
  const specs: Readonly<Record<string, FieldSpec>> = {
    u64: { kind: 'u64', doc: source, measure: true },
    i64: { kind: 'i64', doc: source },
    hex: { kind: 'pointer', doc: source },
    duration: { kind: 'duration', unit: 'ns', doc: source },
    result: { kind: 'result', doc: source },
  }
  const cast = kind === 'i64' || kind === 'result' ? 'int64' : 'uint64'
  return { spec: specs[kind] ?? { kind: 'u64', doc: source }, code: `(${cast})(${value.code})` }
}
