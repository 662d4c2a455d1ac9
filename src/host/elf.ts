const header = { size: 64, sections: 0x28, sectionSize: 0x3a, sectionCount: 0x3c }
const dynsym = 11
const symbolSize = 24
const functionType = 2

/**
 * Which of these functions an ELF file defines for others, by its dynamic symbols; null when it is no 64-bit little-endian ELF
 * file that can be read to the end.
 */
export function elfFunctions(
  bytes: Buffer,
  names: readonly string[],
): Readonly<Record<string, boolean>> | null {
  if (bytes.length < header.size || bytes.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    return null
  try {
    const found = definedFunctions(bytes)
    return Object.fromEntries(names.map((name) => [name, found.has(name)]))
  } catch (error) {
    // A file that is cut leads past its end.
    if (error instanceof RangeError) return null
    throw error
  }
}

function definedFunctions(bytes: Buffer): ReadonlySet<string> {
  const size = bytes.readUInt16LE(header.sectionSize)
  const first = Number(bytes.readBigUInt64LE(header.sections))
  const section = (index: number) => {
    const at = first + index * size
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
    }
  }
  const found = new Set<string>()
  for (let index = 0; index < bytes.readUInt16LE(header.sectionCount); index++) {
    const symbols = section(index)
    if (symbols.type !== dynsym) continue
    const texts = section(symbols.link).offset
    for (let at = symbols.offset; at < symbols.offset + symbols.size; at += symbolSize) {
      const isFunction = (bytes.readUInt8(at + 4) & 15) === functionType
      const isDefined = bytes.readUInt16LE(at + 6) !== 0
      if (!isFunction || !isDefined) continue
      const name = texts + bytes.readUInt32LE(at)
      found.add(bytes.toString('latin1', name, bytes.indexOf(0, name)))
    }
  }
  return found
}
