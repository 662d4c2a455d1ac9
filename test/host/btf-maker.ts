/** A small BTF for tests: type records by kind, as Documentation/bpf/btf.rst lays them out. */
export interface TypeSpec {
  readonly kind: number
  readonly name?: string
  readonly flag?: boolean
  /** Bytes, or the id of a type. */
  readonly sizeOrType?: number
  /** Words after the record; texts become offsets of names. */
  readonly items?: readonly (readonly (number | string)[])[]
}

/** Types get the ids 1, 2, 3 ... in order. */
export function makeBtf(types: readonly TypeSpec[]): Buffer {
  const names = new Map<string, number>([['', 0]])
  let text = '\0'
  const nameAt = (name: string) => {
    const known = names.get(name)
    if (known !== undefined) return known
    const at = text.length
    names.set(name, at)
    text += `${name}\0`
    return at
  }
  const words = types.flatMap(({ kind, name = '', flag = false, sizeOrType = 0, items = [] }) => [
    nameAt(name),
    ((flag ? 0x80000000 : 0) | (kind << 24) | (counted.has(kind) ? items.length : 0)) >>> 0,
    sizeOrType,
    ...items.flat().map((word) => (typeof word === 'string' ? nameAt(word) : word)),
  ])
  const header = [0x0001eb9f, 24, 0, words.length * 4, words.length * 4, text.length]
  return Buffer.concat([
    Buffer.from(Uint32Array.from([...header, ...words]).buffer),
    Buffer.from(text, 'latin1'),
  ])
}

/** Kinds whose tail is a list: STRUCT, UNION, ENUM, FUNC_PROTO. */
const counted = new Set([4, 5, 6, 13])
