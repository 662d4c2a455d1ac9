import { type Pages, pagesOf } from './pages.ts'

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

/** Where the sections are, in words and bytes of the whole. */
interface BtfSections {
  readonly btf: Pages
  /** First byte of the type records, and how many words they have. */
  readonly typesAt: number
  readonly typeWords: number
  /** First byte of the names. */
  readonly namesAt: number
}

/** The types of BTF. Ids begin at 1; 0 is void. */
export interface BtfTypes {
  /** All ids are below. */
  readonly count: number
  /** The first word of a type's record, 0 for an id that BTF does not have. */
  start(id: number): number
  /** A word of the type records. */
  word(at: number): number
  /** The name at an offset, as records have it. */
  name(at: number): string
  /** The ids of all types of a name, in their order. */
  named(name: string): readonly number[]
}

const magic = 0xeb9f
const headerBytes = 24

/** Splits BTF into its sections; null when it is not BTF in this machine's byte order. */
function splitBtf(btf: Pages): BtfSections | null {
  if (btf.length < headerBytes || (btf.word(0) & 0xffff) !== magic) return null
  const [headerLength, typesAt, typesLength, namesAt, namesLength] = [4, 8, 12, 16, 20].map((at) =>
    btf.word(at),
  ) as [number, number, number, number, number]
  const end = headerLength + Math.max(typesAt + typesLength, namesAt + namesLength)
  if (end > btf.length) return null
  return {
    btf,
    typesAt: headerLength + typesAt,
    typeWords: typesLength >>> 2,
    namesAt: headerLength + namesAt,
  }
}

/** Opens BTF with its index, which `indexBtf` made of the same bytes. Null: one of them is not what it should be. */
export function openTypes(btf: Pages, index: Pages): BtfTypes | null {
  const sections = splitBtf(btf)
  if (sections === null || index.word(0) !== indexFormat) return null
  const [count, bits] = [index.word(4), index.word(8)]
  const startsAt = indexHead * 4
  const bucketsAt = startsAt + count * 4
  const entriesAt = bucketsAt + ((1 << bits) + 1) * 4
  const entryCount = index.word(entriesAt - 4)
  if (index.length !== entriesAt + entryCount * 8) return null
  const types = {
    count,
    start: (id: number) => (id > 0 && id < count ? index.word(startsAt + id * 4) : 0),
    word: (at: number) => (at < sections.typeWords ? btf.word(sections.typesAt + at * 4) : 0),
    name: (at: number) => (at === 0 ? '' : btf.text(sections.namesAt + at)),
  }
  return {
    ...types,
    named(name) {
      const hash = hashAt(Buffer.from(name, 'latin1'), 0)
      const bucket = bucketsAt + (hash >>> (32 - bits)) * 4
      const [from, to] = [index.word(bucket), index.word(bucket + 4)]
      const ids: number[] = []
      for (let at = from; at < to; at++) {
        if (index.word(entriesAt + at * 8) !== hash) continue
        const id = index.word(entriesAt + at * 8 + 4)
        if (types.name(types.word(types.start(id))) === name) ids.push(id)
      }
      return ids
    },
  }
}

const indexFormat = 0x31667462
/** Words before the starts: format, count of types, bits of a bucket's number. */
const indexHead = 3

/**
 * One pass over BTF: where each type begins, and the ids by a hash of their names. Little-endian words: `indexHead`, the starts, the
 * number of the first entry of each bucket and of the end, and the entries (hash, id), ordered by bucket and then by id. A kind that
 * the table above does not know ends the pass, since its length is unknown. Null: not BTF.
 */
export function indexBtf(btf: Buffer): Buffer | null {
  const sections = splitBtf(pagesOf(btf))
  if (sections === null) return null
  const { typesAt, typeWords, namesAt } = sections
  const starts: number[] = [0]
  const named: number[] = []
  const hashes: number[] = []
  for (let at = 0; at + 3 <= typeWords;) {
    const info = btf.readUInt32LE(typesAt + (at + 1) * 4)
    const kind = (info >>> 24) & 0x1f
    if (kind === 0 || kind >= kindCount) break
    const nameAt = btf.readUInt32LE(typesAt + at * 4)
    if (nameAt !== 0) {
      named.push(starts.length)
      hashes.push(hashAt(btf, namesAt + nameAt))
    }
    starts.push(at)
    at += 3 + (fixedWords[kind] ?? 0) + (itemWords[kind] ?? 0) * (info & 0xffff)
  }
  const bits = Math.max(1, Math.ceil(Math.log2(Math.max(named.length, 2) / 4)))
  const shift = 32 - bits
  // Counted, summed up, filled: the ids of a bucket stay in their order.
  const buckets = new Uint32Array((1 << bits) + 1)
  for (const hash of hashes)
    buckets[(hash >>> shift) + 1] = (buckets[(hash >>> shift) + 1] ?? 0) + 1
  for (let each = 1; each < buckets.length; each++)
    buckets[each] = (buckets[each] ?? 0) + (buckets[each - 1] ?? 0)
  const next = buckets.slice()
  const entries = new Uint32Array(named.length * 2)
  for (const [at, hash] of hashes.entries()) {
    const place = next[hash >>> shift] ?? 0
    next[hash >>> shift] = place + 1
    entries[place * 2] = hash
    entries[place * 2 + 1] = named[at] ?? 0
  }
  return Buffer.concat(
    [
      Uint32Array.of(indexFormat, starts.length, bits),
      Uint32Array.from(starts),
      buckets,
      entries,
    ].map(({ buffer }) => Buffer.from(buffer)),
  )
}

/** FNV-1a of 32 bits (draft-eastlake-fnv) of the bytes up to NUL or the end. */
function hashAt(bytes: Buffer, from: number): number {
  let hash = 0x811c9dc5
  for (let at = from; at < bytes.length && bytes[at] !== 0; at++)
    hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  return hash >>> 0
}

/** The ids of the types of a name that are of a wanted kind, in their order. */
export function idsNamed(
  types: BtfTypes,
  name: string,
  kinds: readonly number[],
): readonly number[] {
  return types
    .named(name)
    .filter((id) => kinds.includes((types.word(types.start(id) + 1) >>> 24) & 0x1f))
}
