/** A function that an ELF file defines. */
export interface ElfFunction {
  readonly name: string
  /** Where it lies when the file is loaded at 0. */
  readonly address: bigint
  /** Bytes; 0 where the file does not say. */
  readonly size: number
  /** Chooses the function that is called in its place when the file is loaded (STT_GNU_IFUNC): calls do not come through it. */
  readonly isIndirect: boolean
}

/** A statically defined tracepoint of a program (USDT, `.note.stapsdt`). */
export interface UsdtProbe {
  readonly provider: string
  readonly name: string
  /** Where it lies when the file is loaded at 0. */
  readonly address: bigint
  /** Where the counter is that must be raised for the program to get there; 0 for none. */
  readonly semaphore: bigint
  /** Where both lie in the file; null where it does not hold them. */
  readonly offset: number | null
  readonly counter: number | null
  /** As the assembler wrote them: `8@%rdi -4@$5`. */
  readonly arguments: string
  /** e_machine of the file. */
  readonly machine: number
}

interface Section {
  readonly name: string
  readonly type: number
  readonly address: bigint
  readonly offset: number
  readonly size: number
  readonly link: number
}

/** A part of the file that is loaded (PT_LOAD). */
interface Segment {
  readonly address: bigint
  readonly offset: bigint
  readonly size: bigint
}

const header = {
  size: 64,
  machine: 0x12,
  segments: 0x20,
  sections: 0x28,
  segmentSize: 0x36,
  segmentCount: 0x38,
  sectionSize: 0x3a,
  sectionCount: 0x3c,
  names: 0x3e,
}
/** Section types that hold symbols: SHT_SYMTAB, SHT_DYNSYM. */
const symbolTables: readonly number[] = [2, 11]
const symbolSize = 24
const symbolTypes = { none: 0, object: 1, function: 2, indirect: 10 } as const
/** Sections from here on stand for something else: a symbol there has no address of its own. */
const reservedSections = 0xff00

/**
 * The functions that an ELF file defines, by its symbol tables, each name once; null when it is no 64-bit little-endian
 * ELF file that can be read to the end.
 */
export function elfFunctions(bytes: Buffer): readonly ElfFunction[] | null {
  return read(bytes, (sections) => {
    const found = new Map<string, ElfFunction>()
    for (const { at, texts, type } of symbols(bytes, sections)) {
      if (type !== symbolTypes.function && type !== symbolTypes.indirect) continue
      const name = textAt(bytes, texts + bytes.readUInt32LE(at))
      found.set(name, {
        name,
        address: bytes.readBigUInt64LE(at + 8),
        size: Number(bytes.readBigUInt64LE(at + 16)),
        isIndirect: type === symbolTypes.indirect,
      })
    }
    return [...found.values()]
  })
}

/** Where a name lies when the file is loaded at 0; null where the file has none, or several that differ. */
export function elfAddress(bytes: Buffer, name: string): bigint | null {
  const plain: readonly number[] = [symbolTypes.none, symbolTypes.object, symbolTypes.function]
  return read(bytes, (sections) => {
    const found = new Set<bigint>()
    for (const { at, texts, type, section } of symbols(bytes, sections)) {
      if (!plain.includes(type) || section >= reservedSections) continue
      if (textAt(bytes, texts + bytes.readUInt32LE(at)) === name)
        found.add(bytes.readBigUInt64LE(at + 8))
    }
    const [first = null, ...others] = found
    return others.length === 0 ? first : null
  })
}

/** The symbols that are defined in a file: where each is, where its table's texts are, its type and section. */
function* symbols(bytes: Buffer, sections: readonly Section[]) {
  for (const table of sections.filter(({ type }) => symbolTables.includes(type))) {
    const texts = sections[table.link]?.offset ?? 0
    for (let at = table.offset; at < table.offset + table.size; at += symbolSize) {
      const section = bytes.readUInt16LE(at + 6)
      if (section !== 0) yield { at, texts, type: bytes.readUInt8(at + 4) & 15, section }
    }
  }
}

/** The statically defined tracepoints of an ELF file; the same one may stand at several places. null as of elfFunctions. */
export function elfUsdt(bytes: Buffer): readonly UsdtProbe[] | null {
  return read(bytes, (sections) => {
    const notes = sections.find(({ name }) => name === '.note.stapsdt')
    if (notes === undefined) return []
    const base = sections.find(({ name }) => name === '.stapsdt.base')?.address
    const segments = segmentsOf(bytes)
    const found: UsdtProbe[] = []
    let at = notes.offset
    while (at + 12 <= notes.offset + notes.size) {
      const ownerBytes = bytes.readUInt32LE(at)
      const bodyBytes = bytes.readUInt32LE(at + 4)
      const body = at + 12 + padded(ownerBytes)
      if (textAt(bytes, at + 12) === 'stapsdt') found.push(usdtAt(bytes, body, segments, base))
      at = body + padded(bodyBytes)
    }
    return found
  })
}

/**
 * Three addresses and three texts (sys/sdt.h of SystemTap). The second address is that of the section .stapsdt.base: if it lies
 * elsewhere now, the file was moved (by prelink) after the note was written, and all of it by as much.
 */
function usdtAt(
  bytes: Buffer,
  at: number,
  segments: readonly Segment[],
  base: bigint | undefined,
): UsdtProbe {
  const provider = textAt(bytes, at + 24)
  const name = textAt(bytes, at + 24 + provider.length + 1)
  const moved = base === undefined ? 0n : base - bytes.readBigUInt64LE(at + 8)
  const address = bytes.readBigUInt64LE(at) + moved
  const counter = bytes.readBigUInt64LE(at + 16)
  const semaphore = counter === 0n ? 0n : counter + moved
  return {
    provider,
    name,
    address,
    semaphore,
    offset: offsetIn(segments, address),
    counter: counter === 0n ? null : offsetIn(segments, semaphore),
    arguments: textAt(bytes, at + 24 + provider.length + 1 + name.length + 1),
    machine: bytes.readUInt16LE(header.machine),
  }
}

function offsetIn(segments: readonly Segment[], address: bigint): number | null {
  const found = segments.find(
    (each) => address >= each.address && address < each.address + each.size,
  )
  return found === undefined ? null : Number(address - found.address + found.offset)
}

const padded = (size: number): number => Math.ceil(size / 4) * 4

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at)
  if (at > bytes.length || end === -1) throw new RangeError('a text leads past the end')
  return bytes.toString('latin1', at, end)
}

function read<T>(bytes: Buffer, use: (sections: readonly Section[]) => T): T | null {
  if (bytes.length < header.size || bytes.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    return null
  try {
    return use(sectionsOf(bytes))
  } catch (error) {
    // A file that is cut leads past its end.
    if (error instanceof RangeError) return null
    throw error
  }
}

/** PT_LOAD. */
const loaded = 1

function segmentsOf(bytes: Buffer): readonly Segment[] {
  const size = bytes.readUInt16LE(header.segmentSize)
  const first = Number(bytes.readBigUInt64LE(header.segments))
  const count = bytes.readUInt16LE(header.segmentCount)
  return Array.from({ length: count }, (_, index) => first + index * size)
    .filter((at) => bytes.readUInt32LE(at) === loaded)
    .map((at) => ({
      address: bytes.readBigUInt64LE(at + 16),
      offset: bytes.readBigUInt64LE(at + 8),
      size: bytes.readBigUInt64LE(at + 32),
    }))
}

function sectionsOf(bytes: Buffer): readonly Section[] {
  const size = bytes.readUInt16LE(header.sectionSize)
  const first = Number(bytes.readBigUInt64LE(header.sections))
  const count = bytes.readUInt16LE(header.sectionCount)
  const rows = Array.from({ length: count }, (_, index) => {
    const at = first + index * size
    return {
      nameAt: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
      address: bytes.readBigUInt64LE(at + 16),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
    }
  })
  const names = rows[bytes.readUInt16LE(header.names)]?.offset
  return rows.map(({ nameAt, ...row }) => ({
    ...row,
    name: names === undefined ? '' : textAt(bytes, names + nameAt),
  }))
}
