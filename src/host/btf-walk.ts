import { btfKinds, type BtfTypes } from './btf-layout.ts'
import type { BtfMember } from './facts.ts'

/** The three words of a type record, unpacked. */
export interface TypeRecord {
  readonly kind: number
  readonly vlen: number
  /** Set in structs that have bit-fields, and in enums with negative values. */
  readonly flag: boolean
  /** Bytes, or the id of the type referred to, by kind. */
  readonly sizeOrType: number
  /** First word after the record. */
  readonly tail: number
}

/** How many arguments a function has, by the id of its FUNC. */
export function argumentCount(index: BtfTypes, id: number): number {
  return recordOf(index, recordOf(index, id).sizeOrType).vlen
}

interface Place {
  readonly type: number
  readonly bits: number
  /** How many bits a bit-field has, 0 for what is none. */
  readonly width: number
}

/** The record of a type id; kind 0 (void) for an id that BTF does not have. */
export function recordOf(types: BtfTypes, id: number): TypeRecord {
  const at = types.start(id)
  const info = id === 0 || id >= types.count ? 0 : types.word(at + 1)
  return {
    kind: (info >>> 24) & 0x1f,
    vlen: info & 0xffff,
    flag: info >>> 31 === 1,
    sizeOrType: types.word(at + 2),
    tail: at + 3,
  }
}

/**
 * The place of a path in the first of these types that has it: several can share a name (a struct and a function, or
 * two structs of two files).
 */
export function findPath(index: BtfTypes, ids: readonly number[], path: string): BtfMember | null {
  return findMember(index, ids, path)?.member ?? null
}

/** The member at a path in the first of these types that has it, with the id of its type; null for none and for a bit-field. */
export function findMember(
  index: BtfTypes,
  ids: readonly number[],
  path: string,
): { readonly type: number; readonly member: BtfMember } | null {
  const [, ...steps] = path.split('.')
  for (const id of ids) {
    const place = steps.length === 0 ? null : walk(index, id, steps)
    const member = place === null ? null : describe(index, place)
    if (place !== null && member !== null) return { type: place.type, member }
  }
  return null
}

function walk(index: BtfTypes, root: number, steps: readonly string[]): Place | null {
  let place: Place | null = { type: root, bits: 0, width: 0 }
  for (const step of steps) {
    const next: Place | null = place.width > 0 ? null : memberOf(index, place.type, step)
    if (next === null) return null
    place = { ...next, bits: place.bits + next.bits }
  }
  return place
}

/** A member by name, in the struct itself or in the anonymous structs and unions inside it. */
function memberOf(index: BtfTypes, type: number, name: string): Place | null {
  const record = recordOf(index, strip(index, type))
  if (record.kind !== btfKinds.STRUCT && record.kind !== btfKinds.UNION) return null
  for (let i = 0; i < record.vlen; i++) {
    const [nameAt = 0, memberType = 0, offset = 0] = wordsAt(index, record.tail + i * 3, 3)
    // With the flag: 8 bits of bit-field size, then 24 of offset (btf.rst, BTF_KIND_STRUCT).
    const bits = record.flag ? offset & 0xffffff : offset
    const width = record.flag ? offset >>> 24 : 0
    if (nameAt === 0) {
      const inner = memberOf(index, memberType, name)
      if (inner !== null) return { ...inner, bits: inner.bits + bits }
    } else if (index.name(nameAt) === name) return { type: memberType, bits, width }
  }
  return null
}

/** Some words of the type records. */
export function wordsAt(types: BtfTypes, at: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, each) => types.word(at + each))
}

/** The type behind typedefs and qualifiers. */
export function strip(index: BtfTypes, type: number): number {
  const { TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG } = btfKinds
  const wrappers: readonly number[] = [TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG]
  let id = type
  for (let depth = 0; depth < 32; depth++) {
    const record = recordOf(index, id)
    if (!wrappers.includes(record.kind)) return id
    id = record.sizeOrType
  }
  return 0
}

function describe(index: BtfTypes, { type, bits, width }: Place): BtfMember | null {
  if (width > 0) return describeBits(bits, width)
  if (bits % 8 !== 0) return null
  const value = valueOf(index, type)
  return value === null ? null : { offset: bits / 8, ...value }
}

/** A bit-field in the smallest number that holds it and begins at its first byte, read as unsigned; null for one that takes more than 32 bits. */
function describeBits(bits: number, width: number): BtfMember | null {
  const shift = bits % 8
  const size = [1, 2, 4].find((bytes) => bytes * 8 >= shift + width)
  if (size === undefined) return null
  return { offset: (bits - shift) / 8, size, signed: false, length: 0, bits: { shift, width } }
}

const pointerBytes = 8

/** Size, sign and array length of a type; null for an old-style bit-field (an INT of fewer bits than its bytes) and for what has no size. */
function valueOf(index: BtfTypes, type: number): Omit<BtfMember, 'offset'> | null {
  const { INT, PTR, ARRAY, STRUCT, UNION, ENUM, ENUM64, FLOAT } = btfKinds
  const { kind, flag, sizeOrType: size, tail } = recordOf(index, strip(index, type))
  switch (kind) {
    case INT: {
      const encoding = index.word(tail)
      const isWhole = (encoding & 0xff) === size * 8
      return isWhole ? { size, signed: ((encoding >>> 24) & 1) === 1, length: 0 } : null
    }
    case PTR:
      return { size: pointerBytes, signed: false, length: 0 }
    case ENUM:
    case ENUM64:
      return { size, signed: flag, length: 0 }
    case STRUCT:
    case UNION:
    case FLOAT:
      return { size, signed: kind === FLOAT, length: 0 }
    case ARRAY: {
      const item = valueOf(index, index.word(tail))
      const count = index.word(tail + 2)
      return item === null
        ? null
        : { size: item.size * count, signed: item.signed, length: count * Math.max(item.length, 1) }
    }
    default:
      return null
  }
}
