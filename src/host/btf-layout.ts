/**
 * The layout of BTF, the kernel's own type information: Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
 * A header, then type records of three 32-bit words each plus a tail by kind, then a section of NUL-ended names.
 */
export const btfKinds = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  FLOAT: 16,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const

/** Words that follow a type record: `fixed + perItem * vlen`, by kind (0 to 19). */
const tails: readonly (readonly [kind: number, fixed: number, perItem: number])[] = [
  [btfKinds.INT, 1, 0],
  [btfKinds.ARRAY, 3, 0],
  [btfKinds.STRUCT, 0, 3],
  [btfKinds.UNION, 0, 3],
  [btfKinds.ENUM, 0, 2],
  [btfKinds.FUNC_PROTO, 0, 2],
  [14, 1, 0], // VAR
  [15, 0, 3], // DATASEC
  [17, 1, 0], // DECL_TAG
  [btfKinds.ENUM64, 0, 3],
]

const kindCount = 20
const fixedWords = Uint8Array.from(
  { length: 32 },
  (_, kind) => tails.find(([k]) => k === kind)?.[1] ?? 0,
)
const itemWords = Uint8Array.from(
  { length: 32 },
  (_, kind) => tails.find(([k]) => k === kind)?.[2] ?? 0,
)

/** The type section as words in the machine's byte order, and the name section as bytes. */
export interface BtfSections {
  readonly words: Uint32Array
  readonly names: Buffer
}

/** Where types are: `starts[id]` is the first word of type `id` (ids from 1). */
export interface BtfTypes extends BtfSections {
  readonly starts: Uint32Array
}

/** And the ids of wanted names by name offset. */
export interface BtfIndex extends BtfTypes {
  readonly found: ReadonlyMap<number, readonly number[]>
}

const magic = 0xeb9f
const headerBytes = 24

/** Splits BTF into its sections; null when it is not BTF in this machine's byte order. */
export function splitBtf(btf: Buffer): BtfSections | null {
  const isWhole =
    btf.length >= headerBytes &&
    new Uint16Array(btf.buffer.slice(btf.byteOffset, btf.byteOffset + 2))[0] === magic
  if (!isWhole) return null
  const [, headerLength = 0, typesAt = 0, typesLength = 0, namesAt = 0, namesLength = 0] = toWords(
    btf,
    0,
    headerBytes,
  )
  const end = headerLength + Math.max(typesAt + typesLength, namesAt + namesLength)
  if (end > btf.length) return null
  return {
    words: toWords(btf, headerLength + typesAt, typesLength),
    names: btf.subarray(headerLength + namesAt, headerLength + namesAt + namesLength),
  }
}

/** Offset of a name in the name section, -1 when nothing in the kernel has that name. Names are whole, never tails of others. */
export function findName(names: Buffer, name: string): number {
  const at = names.indexOf(`\0${name}\0`, 0, 'latin1')
  return at === -1 ? -1 : at + 1
}

/**
 * One pass over the type records as integers: the start of each, and the ids of those that are of a wanted kind and
 * name. A kind that this table does not know ends the pass, since its length is unknown.
 */
export function indexTypes(
  sections: BtfSections,
  kinds: readonly number[],
  nameOffsets: readonly number[],
): BtfIndex {
  const { words } = sections
  const starts = new Uint32Array(words.length / 3 + 2)
  const isKind = Uint8Array.from({ length: 32 }, (_, kind) => (kinds.includes(kind) ? 1 : 0))
  const found = new Map<number, number[]>(nameOffsets.map((offset) => [offset, []]))
  let id = 1
  for (let at = 0; at < words.length; id++) {
    const info = words[at + 1] ?? 0
    const kind = (info >>> 24) & 0x1f
    if (kind === 0 || kind >= kindCount) break
    starts[id] = at
    if (isKind[kind] === 1) found.get(words[at] ?? 0)?.push(id)
    at += 3 + (fixedWords[kind] ?? 0) + (itemWords[kind] ?? 0) * (info & 0xffff)
  }
  return { ...sections, starts: starts.subarray(0, id), found }
}

/** The ids of the types of a name that are of a wanted kind: a look at each type, which takes a millisecond. */
export function idsNamed(
  { names, words, starts }: BtfTypes,
  name: string,
  kinds: readonly number[],
): readonly number[] {
  const offset = findName(names, name)
  if (offset === -1) return []
  const ids: number[] = []
  for (let id = 1; id < starts.length; id++) {
    const at = starts[id] ?? 0
    if (words[at] === offset && kinds.includes(((words[at + 1] ?? 0) >>> 24) & 0x1f)) ids.push(id)
  }
  return ids
}

/** A view where the alignment allows it, else a copy. */
function toWords(bytes: Buffer, at: number, length: number): Uint32Array {
  const start = bytes.byteOffset + at
  return start % 4 === 0
    ? new Uint32Array(bytes.buffer, start, length >>> 2)
    : new Uint32Array(bytes.buffer.slice(start, start + length))
}
