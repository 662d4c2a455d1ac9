import { type AttachPoint, attachPointText, parseAttachPoint } from '../attach/point.ts'
import { nearNames } from '../attach/suggest.ts'
import { editDistance } from '../catalog/nearest.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { attachPointList } from '../host/attach-point-cache.ts'
import {
  type Btf,
  openBtf,
  rawTracepointOf,
  type Signature,
  signatureOf,
  structOf,
  type StructText,
} from '../host/btf-types.ts'
import type { Fact, HostFacts, TracepointField } from '../host/facts.ts'
import { gatherFacts } from '../host/gather.ts'
import { readBytes } from '../host/read.ts'
import { checkNeed } from '../plan/needs.ts'
import { dialectOfHost } from '../plan/requirements.ts'
import type { Io } from './io.ts'

/** What is known of one attach point of this kernel. */
interface Description {
  readonly attach_point: string
  /** C declaration of a function or raw tracepoint; null where BTF has none. */
  readonly signature: Signature | null
  /** Fields of a tracepoint, null where it is none. */
  readonly fields: readonly TracepointField[] | null
  /** Each way to attach to it, whether it works here, and why. The first that works is the best. */
  readonly ways: readonly { readonly way: string; readonly fact: Fact }[]
  readonly expanded: StructText | null
}

/** `ebpf-run describe ATTACH-POINT [--expand ARGUMENT[.MEMBER]...] [-o json]`. Throws BAD_VALUE, NO_MATCH. */
export async function describeAttachPoint(
  typed: string,
  { expand, output }: { readonly expand: string | null; readonly output: 'table' | 'json' },
  io: Io,
): Promise<number> {
  const point = parseAttachPoint(typed)
  const description = await look(point, expand, io.env)
  io.stdout(
    output === 'json' ? `${JSON.stringify(description, null, 2)}\n` : descriptionText(description),
  )
  return exitCodes.ok
}

async function look(
  point: AttachPoint,
  expand: string | null,
  env: NodeJS.ProcessEnv,
): Promise<Description> {
  const isFunction = point.type !== 'tracepoint' && point.type !== 'rawtracepoint'
  const tracepoint = point.type === 'tracepoint' ? `${point.category}:${point.name}` : null
  const facts = await gatherFacts(
    {
      tracepoints: tracepoint === null ? [] : [tracepoint],
      functions: isFunction ? [point.name] : [],
      members: [],
    },
    { env },
  )
  const btf = readBtf()
  const signature =
    btf === null
      ? null
      : isFunction
        ? signatureOf(btf, point.name)
        : rawTracepointOf(btf, point.name)
  const fields = tracepoint === null ? null : (facts.tracepoints[tracepoint] ?? null)
  if (fields === null && signature === null && !isHooked(facts, point))
    throw await noSuch(point, env)
  return {
    attach_point: attachPointText(point),
    signature,
    fields,
    ways: waysOf(point, facts, signature),
    expanded: expand === null ? null : expandedStruct(expand, signature, btf),
  }
}

function isHooked(facts: HostFacts, point: AttachPoint): boolean {
  return facts.functions[point.name]?.is === 'yes'
}

function readBtf(): Btf | null {
  const file = readBytes('/sys/kernel/btf/vmlinux')
  return 'errno' in file ? null : openBtf(file.bytes)
}

function waysOf(
  point: AttachPoint,
  facts: HostFacts,
  signature: Signature | null,
): Description['ways'] {
  const dialect = dialectOfHost(facts)
  const check = (way: string, need: Parameters<typeof checkNeed>[0]) => ({
    way,
    fact: checkNeed(need, facts, dialect),
  })
  if (point.type === 'tracepoint') {
    const tracepoint = `${point.category}:${point.name}`
    return [
      ...(signature === null ? [] : [check('rawtracepoint', { tracepoint, raw: true })]),
      check('tracepoint', { tracepoint }),
    ]
  }
  if (point.type === 'rawtracepoint') return []
  return [
    check('fentry', { function: point.name, by: 'fentry' }),
    check('kprobe', { function: point.name, by: 'kprobe' }),
  ]
}

/** The struct that `sk` or `sk.__sk_common` is or points to. Throws BAD_VALUE with what there is. */
function expandedStruct(path: string, signature: Signature | null, btf: Btf | null): StructText {
  const structNamed = (name: string): StructText =>
    (btf === null ? null : structOf(btf, name)) ?? { name, size: 0, members: [] }
  const [first = '', ...members] = path.split('.')
  const argument = signature?.arguments.find(({ name }) => name === first)
  if (argument?.type.struct === undefined || argument.type.struct === null)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--expand: '${first}' is no struct here`,
      expected: (signature?.arguments ?? [])
        .filter(({ type }) => type.struct !== null)
        .map(({ name }) => name)
        .join(', '),
      found: path,
    })
  let struct = structNamed(argument.type.struct)
  for (const member of members) {
    const next = struct.members.find(({ name }) => name === member)?.type.struct ?? null
    if (next === null)
      throw new EbpfRunError({
        code: 'BAD_VALUE',
        message: `--expand: struct ${struct.name} has no struct '${member}'`,
        expected: struct.members
          .filter(({ name, type }) => name !== '' && type.struct !== null)
          .map(({ name }) => name)
          .join(', '),
        found: path,
      })
    struct = structNamed(next)
  }
  return struct
}

async function noSuch(point: AttachPoint, env: NodeJS.ProcessEnv): Promise<EbpfRunError> {
  const { text } = await attachPointList(env)
  const near = nearNames(
    point.type === 'tracepoint' ? `${point.category}:${point.name}` : point.name,
    text.split('\n').filter((line) => line.startsWith(listedType(point))),
    editDistance,
  )
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: `this kernel has no ${attachPointText(point)}`,
    remedy: near.length > 0 ? `did you mean ${near.join(', ')}?` : 'ebpf-run list --attach-points',
  })
}

function listedType(point: AttachPoint): string {
  return point.type === 'function' ? 'kprobe' : point.type
}

function descriptionText(made: Description): string {
  const { signature, fields, ways, expanded } = made
  return [
    made.attach_point,
    ...(signature === null ? [] : [`  ${declaration(signature)}`]),
    ...(fields === null ? [] : fieldsTable(fields)),
    ...(ways.length === 0 ? [] : ['ways to attach here, the best first:']),
    ...ways.map(({ way, fact }) => `  ${fact.is === 'yes' ? '+' : '-'} ${way}: ${fact.evidence}`),
    ...(expanded === null ? [] : structLines(expanded)),
    '',
  ].join('\n')
}

function declaration({ name, arguments: args, returns }: Signature): string {
  const list = args.map(({ name: each, type }) => declared(type.text, each)).join(', ')
  return `${declared(returns?.text ?? 'void', name)}(${list || 'void'})`
}

const declared = (type: string, name: string): string =>
  type.endsWith('*') || name === '' ? `${type}${name}` : `${type} ${name}`

function fieldsTable(fields: readonly TracepointField[]): readonly string[] {
  const rows = fields.map((field) => [
    field.name,
    field.length > 0 ? `${field.type}[${field.length}]` : field.type,
    String(field.offset),
    String(field.size),
    Object.entries(field.names ?? {})
      .map(([number, name]) => `${number}=${name}`)
      .join(' '),
  ])
  return columns([['FIELD', 'TYPE', 'OFFSET', 'SIZE', 'NAMES'], ...rows])
}

function structLines({ name, size, members }: StructText): readonly string[] {
  return [
    `struct ${name}: ${size} bytes`,
    ...columns([
      ['MEMBER', 'TYPE', 'OFFSET', 'BITS'],
      ...members.map((member) => [
        member.name || '(anonymous)',
        member.type.text,
        String(Math.floor(member.offsetBits / 8)),
        member.bits === 0 ? '' : String(member.bits),
      ]),
    ]),
  ]
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => (row[at] ?? '').length)),
  )
  return rows.map((row) =>
    `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd(),
  )
}
