import { btfKinds, type BtfTypes, idsNamed, indexBtf, openTypes } from './btf-layout.ts'
import { findMember, recordOf, strip, wordsAt } from './btf-walk.ts'
import { pagesOf } from './pages.ts'

/** A type as C spells it, and what a program must know to read a value of it. */
export interface TypeText {
  /** `const struct sk_buff *`, `unsigned int`. */
  readonly text: string
  /** `int`: a number of `size` bytes; `pointer`: an address; `other`: a struct by value, an array, nothing. */
  readonly as: 'int' | 'pointer' | 'other'
  readonly size: number
  readonly signed: boolean
  /** Name of the struct or union that it is or points to, null for none. */
  readonly struct: string | null
  /** Points to characters. */
  readonly isText: boolean
  /** Name of the enum that it is, null for none. */
  readonly enumName: string | null
}

export interface Argument {
  /** Empty where BTF has no name for it. */
  readonly name: string
  readonly type: TypeText
}

/** What BTF says of a function. `returns` is null for void. */
export interface Signature {
  readonly name: string
  readonly arguments: readonly Argument[]
  readonly returns: TypeText | null
}

export interface StructMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string
  readonly type: TypeText
  readonly offsetBits: number
  /** Bits of a bit-field, 0 for a whole member. */
  readonly bits: number
}

export interface StructText {
  readonly name: string
  readonly size: number
  readonly members: readonly StructMember[]
}

/** BTF of which things can be described by name. */
export interface Btf {
  readonly index: BtfTypes
}

/** How a raw tracepoint's prototype is named: `btf_trace_NAME` (include/trace/bpf_probe.h). */
const rawPrefix = 'btf_trace_'

/** BTF to look names up in; null: not BTF of this machine's byte order. */
export function openBtf(bytes: Buffer): Btf | null {
  const index = indexBtf(bytes)
  const types = index === null ? null : openTypes(pagesOf(bytes), pagesOf(index))
  return types === null ? null : { index: types }
}

/** The function of that name; null when BTF has none. */
export function signatureOf({ index }: Btf, name: string): Signature | null {
  const id = idOf(index, name, [btfKinds.FUNC])
  return id === null ? null : prototype(index, name, recordOf(index, id).sizeOrType, 0)
}

/** Functions of the kernel that have a raw tracepoint's arguments by name; the first since 5.10 (include/linux/tracepoint.h). */
const namedPrototypes = ['__traceiter_', '__bpf_trace_'] as const

/** The arguments of a raw tracepoint, without the first one, which is the kernel's own; null when BTF has none of that name. */
export function rawTracepointOf(btf: Btf, name: string): Signature | null {
  const { index } = btf
  const id = idOf(index, `${rawPrefix}${name}`, [btfKinds.TYPEDEF])
  if (id === null) return null
  const pointer = recordOf(index, recordOf(index, id).sizeOrType)
  if (pointer.kind !== btfKinds.PTR) return null
  const plain = prototype(index, name, pointer.sizeOrType, 1)
  for (const prefix of namedPrototypes) {
    const named = signatureOf(btf, `${prefix}${name}`)
    if (named !== null && named.arguments.length - 1 === plain?.arguments.length)
      return { name, arguments: named.arguments.slice(1), returns: null }
  }
  return plain
}

/** The struct or union of that name; null when BTF has none. */
export function structOf({ index }: Btf, name: string): StructText | null {
  const id = idOf(index, name, [btfKinds.STRUCT, btfKinds.UNION])
  if (id === null) return null
  const record = recordOf(index, id)
  const members = Array.from({ length: record.vlen }, (_, at) => {
    const [nameAt = 0, type = 0, offset = 0] = wordsAt(index, record.tail + at * 3, 3)
    return {
      name: index.name(nameAt),
      type: typeText(index, type),
      offsetBits: record.flag ? offset & 0xffffff : offset,
      bits: record.flag ? offset >>> 24 : 0,
    }
  })
  return { name, size: record.sizeOrType, members }
}

/** A member by its path from a struct (`sock.__sk_common.skc_dport`), anonymous structs and unions looked through. */
export function memberOf(
  { index }: Btf,
  path: string,
): { readonly type: TypeText; readonly size: number; readonly length: number } | null {
  const [root = ''] = path.split('.', 1)
  const ids = idsNamed(index, root, [btfKinds.STRUCT, btfKinds.UNION, btfKinds.TYPEDEF])
  const found = findMember(index, ids, path)
  if (found === null) return null
  const { size, length } = found.member
  return { type: typeText(index, found.type), size, length }
}

/** Names of a struct's members, those of anonymous structs and unions among them. */
export function memberNames({ index }: Btf, name: string): readonly string[] {
  const id = idOf(index, name, [btfKinds.STRUCT, btfKinds.UNION])
  return id === null ? [] : namesBelow(index, id, mostSteps)
}

function namesBelow(index: BtfTypes, id: number, steps: number): readonly string[] {
  const record = recordOf(index, strip(index, id))
  if (steps === 0 || (record.kind !== btfKinds.STRUCT && record.kind !== btfKinds.UNION)) return []
  return Array.from({ length: record.vlen }, (_, at) => {
    const [nameAt = 0, type = 0] = wordsAt(index, record.tail + at * 3, 2)
    return nameAt === 0 ? namesBelow(index, type, steps - 1) : [index.name(nameAt)]
  }).flat()
}

/** The names of everything of BTF that can be hooked: functions, and raw tracepoints by their own names. */
export function hookNames(bytes: Buffer): {
  readonly functions: readonly string[]
  readonly rawTracepoints: readonly string[]
} {
  const index = openBtf(bytes)?.index
  if (index === undefined) return { functions: [], rawTracepoints: [] }
  const functions = new Set<string>()
  const rawTracepoints = new Set<string>()
  for (let id = 1; id < index.count; id++) {
    const { kind } = recordOf(index, id)
    if (kind !== btfKinds.FUNC && kind !== btfKinds.TYPEDEF) continue
    const name = ownName(index, id)
    if (kind === btfKinds.FUNC) functions.add(name)
    else if (name.startsWith(rawPrefix)) rawTracepoints.add(name.slice(rawPrefix.length))
  }
  return { functions: [...functions].sort(), rawTracepoints: [...rawTracepoints].sort() }
}

function idOf(index: BtfTypes, name: string, kinds: readonly number[]): number | null {
  return idsNamed(index, name, kinds)[0] ?? null
}

function prototype(index: BtfTypes, name: string, id: number, skip: number): Signature | null {
  const record = recordOf(index, id)
  if (record.kind !== btfKinds.FUNC_PROTO) return null
  const parameters = Array.from({ length: record.vlen }, (_, at) => {
    const [nameAt = 0, type = 0] = wordsAt(index, record.tail + at * 2, 2)
    return { name: index.name(nameAt), type: typeText(index, type) }
  })
  return {
    name,
    arguments: parameters.slice(skip),
    returns: record.sizeOrType === 0 ? null : typeText(index, record.sizeOrType),
  }
}

const pointerSize = 8
/** Deeper than any type of the kernel; damaged BTF may lead in circles. */
const mostSteps = 32

/** A type as C spells it. An array's length stands behind its item, as in `char [16]`. */
export function typeText(index: BtfTypes, id: number): TypeText {
  const record = recordOf(index, strip(index, id))
  const text = spelled(index, id, mostSteps)
  const base = { text, struct: null, isText: false, enumName: null, signed: false }
  const { INT, ENUM, ENUM64, PTR, STRUCT, UNION } = btfKinds
  switch (record.kind) {
    case INT: {
      const signed = ((index.word(record.tail) >>> 24) & 1) === 1
      return { ...base, as: 'int', size: record.sizeOrType, signed }
    }
    case ENUM:
    case ENUM64: {
      const enumName = ownName(index, strip(index, id)) || null
      return { ...base, as: 'int', size: record.sizeOrType, signed: record.flag, enumName }
    }
    case PTR: {
      const target = strip(index, record.sizeOrType)
      const of = recordOf(index, target)
      const isStruct = of.kind === STRUCT || of.kind === UNION
      return {
        ...base,
        as: 'pointer',
        size: pointerSize,
        struct: isStruct ? ownName(index, target) || null : null,
        isText: of.kind === INT && of.sizeOrType === 1 && /\bchar\b/.test(text),
      }
    }
    case STRUCT:
    case UNION: {
      const struct = ownName(index, strip(index, id)) || null
      return { ...base, as: 'other', size: record.sizeOrType, struct }
    }
    default:
      return { ...base, as: 'other', size: 0 }
  }
}

function spelled(index: BtfTypes, id: number, steps: number): string {
  if (id === 0) return 'void'
  if (steps === 0) return '?'
  const record = recordOf(index, id)
  const inner = () => spelled(index, record.sizeOrType, steps - 1)
  const own = ownName(index, id)
  const { PTR, ARRAY, STRUCT, UNION, ENUM, ENUM64, CONST, VOLATILE, RESTRICT, FWD } = btfKinds
  switch (record.kind) {
    case PTR:
      return pointed(inner())
    case ARRAY: {
      const [item = 0, , count = 0] = wordsAt(index, record.tail, 3)
      return `${spelled(index, item, steps - 1)} [${count}]`
    }
    case STRUCT:
      return `struct ${own || '{...}'}`
    case UNION:
      return `union ${own || '{...}'}`
    case ENUM:
    case ENUM64:
      return `enum ${own || '{...}'}`
    case FWD:
      return `${record.flag ? 'union' : 'struct'} ${own}`
    case CONST:
      return qualified('const', inner())
    case VOLATILE:
      return qualified('volatile', inner())
    case RESTRICT:
      return inner()
    case btfKinds.TYPE_TAG:
      return inner()
    case btfKinds.FUNC_PROTO:
      return 'function'
    default:
      return own || '?'
  }
}

const pointed = (text: string): string => (text.endsWith('*') ? `${text}*` : `${text} *`)

/** A qualifier stands before what it qualifies, behind a pointer. */
const qualified = (word: string, text: string): string =>
  text.endsWith('*') ? `${text} ${word}` : `${word} ${text}`

const ownName = (types: BtfTypes, id: number): string => types.name(types.word(types.start(id)))
