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
  readonly address: bigint
  /** Where the counter is that must be raised for the program to get there; 0 for none. */
  readonly semaphore: bigint
  /** As the assembler wrote them: `8@%rdi -4@$5`. */
  readonly arguments: string
}

interface Section {
  readonly name: string
  readonly type: number
  readonly offset: number
  readonly size: number
  readonly link: number
}

const header = { size: 64, sections: 0x28, sectionSize: 0x3a, sectionCount: 0x3c, names: 0x3e }
/** Section types that hold symbols: SHT_SYMTAB, SHT_DYNSYM. */
const symbolTables: readonly number[] = [2, 11]
const symbolSize = 24
const symbolTypes = { function: 2, indirect: 10 } as const

/**
 * The functions that an ELF file defines, by its symbol tables, each name once; null when it is no 64-bit little-endian
 * ELF file that can be read to the end.
 */
export function elfFunctions(bytes: Buffer): readonly ElfFunction[] | null {
  return read(bytes, (sections) => {
    const found = new Map<string, ElfFunction>()
    for (const table of sections.filter(({ type }) => symbolTables.includes(type))) {
      const texts = sections[table.link]?.offset ?? 0
      for (let at = table.offset; at < table.offset + table.size; at += symbolSize) {
        const type = bytes.readUInt8(at + 4) & 15
        const isDefined = bytes.readUInt16LE(at + 6) !== 0
        if (!isDefined || (type !== symbolTypes.function && type !== symbolTypes.indirect)) continue
        const name = textAt(bytes, texts + bytes.readUInt32LE(at))
        found.set(name, {
          name,
          address: bytes.readBigUInt64LE(at + 8),
          size: Number(bytes.readBigUInt64LE(at + 16)),
          isIndirect: type === symbolTypes.indirect,
        })
      }
    }
    return [...found.values()]
  })
}

/** The statically defined tracepoints of an ELF file; the same one may stand at several places. null as of elfFunctions. */
export function elfUsdt(bytes: Buffer): readonly UsdtProbe[] | null {
  return read(bytes, (sections) => {
    const notes = sections.find(({ name }) => name === '.note.stapsdt')
    if (notes === undefined) return []
    const found: UsdtProbe[] = []
    let at = notes.offset
    while (at + 12 <= notes.offset + notes.size) {
      const ownerBytes = bytes.readUInt32LE(at)
      const bodyBytes = bytes.readUInt32LE(at + 4)
      const body = at + 12 + padded(ownerBytes)
      if (textAt(bytes, at + 12) === 'stapsdt') found.push(usdtAt(bytes, body))
      at = body + padded(bodyBytes)
    }
    return found
  })
}

/** Three addresses and three texts (sys/sdt.h of SystemTap). */
function usdtAt(bytes: Buffer, at: number): UsdtProbe {
  const provider = textAt(bytes, at + 24)
  const name = textAt(bytes, at + 24 + provider.length + 1)
  return {
    provider,
    name,
    address: bytes.readBigUInt64LE(at),
    semaphore: bytes.readBigUInt64LE(at + 16),
    arguments: textAt(bytes, at + 24 + provider.length + 1 + name.length + 1),
  }
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

function sectionsOf(bytes: Buffer): readonly Section[] {
  const size = bytes.readUInt16LE(header.sectionSize)
  const first = Number(bytes.readBigUInt64LE(header.sections))
  const count = bytes.readUInt16LE(header.sectionCount)
  const rows = Array.from({ length: count }, (_, index) => {
    const at = first + index * size
    return {
      nameAt: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
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
