import { EbpfRunError } from '../errors.ts'
import { common } from '../schema/common.ts'
import type { EventSpec, FieldSpec, Fields, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { fieldFor, fieldName } from './asked-field.ts'
import { compileExpression, inStatement, type Scope, type Value } from './compile.ts'
import { parseExpression } from './expression.ts'
import { emittedInC, tellingFields } from './fields.ts'
import { type AttachPoint, attachPointText, isUserPoint } from './point.ts'
import type { FieldRequest, Known, MadeProbe, TraceRequest } from './request.ts'
import { argumentsIn, equalInC, inC, templateInC } from './user-bcc.ts'
import { argumentsInMemory, onlyRead, orUnread } from './unread.ts'
import { freeName, isCallWrapper, type Way, waysOf } from './ways.ts'

const tasks: Readonly<Record<string, Value>> = {
  pid: { type: { is: 'int', size: 4, signed: false }, code: 'pid' },
  tid: { type: { is: 'int', size: 4, signed: false }, code: 'tid' },
  uid: { type: { is: 'int', size: 4, signed: false }, code: 'uid' },
  cpu: { type: { is: 'int', size: 4, signed: false }, code: 'cpu' },
  cgroup: { type: { is: 'int', size: 8, signed: false }, code: 'cgroup' },
  ktime_ns: { type: { is: 'int', size: 8, signed: false }, code: 'nsecs' },
  comm: { type: { is: 'text', bytes: 15 }, code: 'comm' },
}

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
  const event = request.part?.event ?? eventName(point)
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

/** Throws CONFLICT for a field that is named twice. */
function refuseTwice(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new EbpfRunError({
    code: 'CONFLICT',
    message: `the field ${twice} is named twice`,
    remedy: `give one of them a name of its own: ${twice}2=EXPRESSION`,
  })
}

/** What an event of an attach point is called, where it is the only one of that name. */
export function eventName(point: AttachPoint): string {
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

interface Variant {
  readonly variant: VariantSpec
  readonly event: Omit<EventSpec, 'table'>
  readonly template: string
}

function variantOf(way: Way, request: TraceRequest, known: Known): Variant {
  const isC = way.language === 'c'
  const spelled = isC ? { emitted: emittedInC, code: inC } : undefined
  const scope: Scope = { ...known, names: { ...tasks, ...way.scope }, lacks: way.lacks ?? {} }
  let used = 0
  const variable = () => `$v${(used += 1)}`
  const before: string[] = []
  const compile = (source: string, what: string): Value => {
    const compiled = compileExpression(parseExpression(source, what), scope, {
      source,
      what,
      variable,
      ...(isC ? { equal: equalInC } : {}),
    })
    before.push(...compiled.before)
    return compiled.value
  }
  const where = request.where === null ? null : compile(request.where, '--where')
  const { drawn } = request
  const shown = request.fields.length > 0 ? request.fields : defaultFields(way, request, known)
  refuseTwice(request.fields.map(({ name }) => name))
  const wanted =
    drawn === undefined ? shown : [...shown.filter(({ name }) => name !== drawn.name), drawn]
  const inMemory = argumentsInMemory(known.mark ?? null)
  const fields = wanted.map(({ name, source, kind }) => {
    const field = fieldFor(
      name,
      compile(source, name),
      source,
      kind,
      spelled,
      isUserPoint(request.point),
    )
    return { name, ...orUnread(field, inMemory, isC) }
  })
  const start = `@start${request.part?.maps ?? ''}[tid]`
  const latency: readonly { name: string; spec: FieldSpec; code: string }[] = request.latency
    ? [
        {
          name: 'duration_ns',
          spec: { kind: 'duration', unit: 'ns', doc: 'from the call to its return', heading: 'MS' },
          code: isC ? 'bpf_ktime_get_ns() - start' : `nsecs - ${start}`,
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
  const event = request.part?.event ?? eventName(request.point)
  const emit = [
    `{{emit ${event}`,
    'task',
    ...all.map(({ name, code }) => `${name} = ${code}`),
    '}}',
  ].join('\n    ')
  const reads = argumentsIn([where?.code, ...all.map(({ code }) => code)].join(' '))
  const guarded = where === null ? emit : `if (${inStatement(where.code)}) {\n  ${emit}\n  }`
  const keep = [...(request.latency ? [`${start} = nsecs;`] : []), ...way.keep]
  const forget = [...(request.latency ? [`delete(${start});`] : []), ...way.forget]
  const others = ofOthers(request.point, known, fields)
  const isKept = request.latency ? [start] : []
  const entry = way.entry === null || keep.length === 0 ? '' : block(way.entry, others, keep)
  const inBpftrace = () =>
    `${entry}${block(way.attach, [...others, ...isKept], [...(way.before ?? []), ...before, guarded, ...forget])}`
  const template = isC
    ? templateInC({
        ...{ entry: way.entry, attach: way.attach, suffix: request.part?.maps ?? '', emit },
        isMark: request.point.type === 'usdt',
        isTimed: request.latency,
        where: where === null ? null : onlyRead(inC(where.code), inMemory),
        others,
        used: reads,
      })
    : inBpftrace()
  return {
    variant: {
      name: way.name,
      backend: isC ? 'bcc' : 'bpftrace',
      template: isC ? 'fallback.bcc.c' : `${way.name}.bt`,
      needs: [...(request.stack ? stackNeeds : []), ...withReads(way.needs, reads)],
      cannotTell: way.cannotTell ?? {},
      misses: [way.misses, ...missedOfOwn(others, isC)].join('; '),
      cost: way.cost,
    },
    event: {
      doc: `one ${request.point.type === 'tracepoint' || request.point.type === 'usdt' ? 'event' : 'call'} of ${attachPointText(request.point)}`,
      fields: {
        ...common,
        ...Object.fromEntries(all.map(({ name, spec }) => [name, spec])),
      },
    },
    template,
  }
}

/**
 * Conditions that leave out the processes of the run itself, where it is known that a program runs for its task and not for somebody
 * that has interrupted it. Each event that bpftrace prints is a call of its own, which would make the next; and a text in its memory,
 * or where ebpf-run reads what it printed, may be a record, with the run's token.
 */
function ofOthers(
  point: AttachPoint,
  known: Known,
  fields: readonly { readonly code: string }[],
): readonly string[] {
  const readsTexts = fields.some(({ code }) => /^\{text |^user /.test(code))
  const isCall =
    isUserPoint(point) ||
    isCallWrapper(point, known) ||
    (point.type === 'tracepoint' && ['syscalls', 'raw_syscalls'].includes(point.category))
  if (readsTexts) return ['pid != {{child}}', 'pid != {{own}}']
  return isCall ? ['pid != {{child}}'] : []
}

function missedOfOwn(others: readonly string[], isC: boolean): readonly string[] {
  const [child, own] = others
  if (child === undefined) return []
  const tracer = isC ? "bcc's Python" : 'bpftrace'
  return [own === undefined ? `what ${tracer} itself does` : `what ${tracer} and ebpf-run do`]
}

/** A mark is needed with the arguments that are read. */
function withReads(needs: VariantSpec['needs'], reads: readonly number[]): VariantSpec['needs'] {
  return needs.map((need) => ('usdt' in need && reads.length > 0 ? { ...need, reads } : need))
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

function block(attach: string, conditions: readonly string[], lines: readonly string[]): string {
  const condition = conditions.length === 0 ? '' : `/${conditions.join(' && ')}/\n`
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
  // Nobody knows what they are, and how many are given.
  if (point.type === 'uprobe')
    return [
      ...['arg0', 'arg1', 'arg2'].map((name) => ({ name, source: name, kind: 'hex' })),
      ...('retval' in way.scope ? [{ name: 'retval', source: 'retval', kind: null }] : []),
    ]
  if (point.type === 'usdt')
    return Object.keys(way.scope)
      .filter((name) => argumentsIn(name).length > 0)
      .map((name) => ({ name, source: name, kind: null }))
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
