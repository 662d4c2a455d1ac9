import { release } from 'node:os'

import {
  type AttachPoint,
  attachPointText,
  type FunctionPoint,
  isUserPoint,
  parseAttachPoint,
} from '../attach/point.ts'
import { nearNames } from '../attach/suggest.ts'
import { editDistance } from '../catalog/nearest.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { withAttachPoints } from '../host/attach-point-cache.ts'
import type { AttachType } from '../host/attach-points.ts'
import { readBlacklist } from '../host/blacklist.ts'
import {
  type Btf,
  rawTracepointOf,
  type Signature,
  signatureOf,
  structOf,
  type StructText,
} from '../host/btf-types.ts'
import type { Fact, HookFacts, TracepointField } from '../host/facts.ts'
import { gatherHookFacts } from '../host/gather-hooks.ts'
import { type Hookable, judgeHookable, obstacleOf } from '../host/hookable.ts'
import { type OtherKernel, otherKernels, otherKernelsText, typeOf } from '../host/other-kernels.ts'
import { readBytes, readHost } from '../host/read.ts'
import { checkHookNeed, type HookNeed } from '../plan/hook-needs.ts'
import { dialectOfHost } from '../plan/requirements.ts'
import type { Io } from './io.ts'

type KernelPoint = Exclude<AttachPoint, { readonly file: string }>

/** What is known of one attach point of this kernel. */
interface Description {
  readonly attach_point: string
  /** C declaration of a function or raw tracepoint; null where BTF has none. */
  readonly signature: Signature | null
  /** Fields of a tracepoint, null where it is none. */
  readonly fields: readonly TracepointField[] | null
  /** How the fields differ in other kernels, null where nothing is known of them, and for what has no fields. */
  readonly other_kernels: readonly OtherKernel[] | null
  /** Whether a function can be hooked and what was looked at, null for what is none. */
  readonly hooks: Hookable | null
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
  if (isUserPoint(point)) {
    const { describeUserPoint } = await import('./describe-user-point.ts')
    return describeUserPoint(point, output, io)
  }
  const description = await look(point, expand, io.env)
  io.stdout(
    output === 'json' ? `${JSON.stringify(description, null, 2)}\n` : descriptionText(description),
  )
  return exitCodes.ok
}

async function look(
  point: KernelPoint,
  expand: string | null,
  env: NodeJS.ProcessEnv,
): Promise<Description> {
  const tracepoint = tracepointOf(point)
  const hooked = await gatherHookFacts(
    {
      tracepoints: tracepoint === null ? [] : [tracepoint],
      functions: isOfFunction(point) ? [point.name] : [],
    },
    env,
  )
  try {
    return await describe(point, { ...hooked, btf: hooked.btf.btf }, expand, env)
  } finally {
    hooked.btf.close()
  }
}

async function describe(
  point: KernelPoint,
  hooked: { readonly facts: HookFacts; readonly btf: Btf | null },
  expand: string | null,
  env: NodeJS.ProcessEnv,
): Promise<Description> {
  const isFunction = isOfFunction(point)
  const tracepoint = tracepointOf(point)
  const { btf } = hooked
  const hooks = isFunction ? await hooksOf(point, hooked.facts, env) : null
  const facts = hooks === null ? hooked.facts : withSymbol(hooked.facts, point.name, hooks)
  const signature =
    btf === null
      ? null
      : isFunction
        ? signatureOf(btf, point.name)
        : rawTracepointOf(btf, point.name)
  const fields = tracepoint === null ? null : (facts.tracepoints[tracepoint] ?? null)
  if (fields === null && signature === null && !isThere(hooks)) throw await noSuch(point, env)
  return {
    attach_point: attachPointText(point),
    signature,
    fields,
    other_kernels: fields === null ? null : await othersOf(tracepoint ?? '', fields),
    hooks,
    ways: waysOf(point, facts, signature, hooks),
    expanded: expand === null ? null : expandedStruct(expand, signature, btf),
  }
}

const isOfFunction = (point: KernelPoint): point is KernelPoint & FunctionPoint =>
  point.type !== 'tracepoint' && point.type !== 'rawtracepoint'

const tracepointOf = (point: KernelPoint): string | null =>
  point.type === 'tracepoint' ? `${point.category}:${point.name}` : null

/** It has a symbol, or the compiler has made others of it. */
function isThere(hooks: Hookable | null): boolean {
  if (hooks === null) return false
  const symbol = hooks.findings.find(({ about }) => about === 'symbol')?.fact
  return symbol?.is === 'yes' || hooks.parts.length > 0
}

async function othersOf(tracepoint: string, fields: readonly TracepointField[]) {
  const { knownFormats } = await import('../host/known-formats.ts')
  const known = Object.hasOwn(knownFormats, tracepoint) ? knownFormats[tracepoint] : undefined
  return known === undefined ? null : otherKernels(known, fields, release())
}

async function hooksOf(
  { name, module }: FunctionPoint,
  facts: HookFacts,
  env: NodeJS.ProcessEnv,
): Promise<Hookable> {
  return withAttachPoints(env, (list) =>
    judgeHookable(
      { name, module },
      {
        list,
        symbols() {
          const file = readBytes('/proc/kallsyms')
          return 'errno' in file ? file : { text: file.bytes.toString('latin1') }
        },
        blacklist: readBlacklist(),
        config: () => readHost(`/boot/config-${release()}`),
        kprobes: facts.kprobes,
        fentry: facts.fentry,
        inBtf:
          facts.btfFunctions?.[name] === undefined ? null : facts.btfFunctions[name].is === 'yes',
      },
    ),
  )
}

/** The facts with what the symbol table says of the function. */
function withSymbol(facts: HookFacts, name: string, { findings }: Hookable): HookFacts {
  const symbol = findings.find(({ about }) => about === 'symbol')?.fact
  return symbol === undefined ? facts : { ...facts, functions: { [name]: symbol } }
}

function waysOf(
  point: KernelPoint,
  facts: HookFacts,
  signature: Signature | null,
  hooks: Hookable | null,
): Description['ways'] {
  const dialect = dialectOfHost(facts)
  const check = (way: string, need: HookNeed) => ({
    way,
    fact: checkHookNeed(need, facts, dialect),
  })
  const checkFunction = (by: 'fentry' | 'kprobe', name: string) => {
    const { way, fact } = check(by, { function: name, by })
    return {
      way,
      fact: fact.is === 'yes' && hooks !== null ? (obstacleOf(by, hooks) ?? fact) : fact,
    }
  }
  if (point.type === 'tracepoint') {
    const tracepoint = `${point.category}:${point.name}`
    return [
      ...(signature === null ? [] : [check('rawtracepoint', { tracepoint, raw: true })]),
      check('tracepoint', { tracepoint }),
    ]
  }
  if (point.type === 'rawtracepoint') return []
  return [checkFunction('fentry', point.name), checkFunction('kprobe', point.name)]
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

async function noSuch(point: KernelPoint, env: NodeJS.ProcessEnv): Promise<EbpfRunError> {
  const near = await withAttachPoints(env, (list) =>
    nearNames(
      point.type === 'tracepoint' ? `${point.category}:${point.name}` : point.name,
      list.textOf(listedType(point)).split('\n'),
      editDistance,
    ),
  )
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: `this kernel has no ${attachPointText(point)}`,
    remedy: near.length > 0 ? `did you mean ${near.join(', ')}?` : 'ebpf-run list --attach-points',
  })
}

function listedType(point: KernelPoint): AttachType {
  return point.type === 'function' ? 'kprobe' : point.type
}

function descriptionText(made: Description): string {
  const { signature, fields, other_kernels: others, hooks, ways, expanded } = made
  return [
    made.attach_point,
    ...(signature === null ? [] : [`  ${declaration(signature)}`]),
    ...(fields === null ? [] : fieldsTable(fields)),
    ...(others === null || others.length === 0
      ? []
      : [`other kernels: ${otherKernelsText(others)}`]),
    ...(hooks === null ? [] : hookLines(hooks)),
    ...(ways.length === 0 ? [] : ['ways to attach here, the best first:']),
    ...ways.map(({ way, fact }) => `  ${fact.is === 'yes' ? '+' : '-'} ${way}: ${fact.evidence}`),
    ...(expanded === null ? [] : structLines(expanded)),
    '',
  ].join('\n')
}

const marks = { yes: '+', no: '-', unknown: '?' } as const

function hookLines({ hookable, findings, parts }: Hookable): readonly string[] {
  return [
    `can be hooked here: ${hookable.is}`,
    ...findings.map(({ about, fact }) => `  ${marks[fact.is]} ${about}: ${fact.evidence}`),
    ...parts.map(
      ({ name, hookable: part }) =>
        `  ${marks[part.is]} made by the compiler: function:${name}; ${part.evidence}`,
    ),
  ]
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
    typeOf(field),
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
