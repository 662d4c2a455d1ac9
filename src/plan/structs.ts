import type { BtfMember } from '../host/facts.ts'
import { broken, localAddress } from './template.ts'

/**
 * Reads of kernel structs by the running kernel's BTF: for each place that is read, a struct of ours that has one member there.
 * One table a program; `text()` is what must stand in front of it.
 */
export class StructTable {
  private readonly bodies = new Map<string, string>()
  private readonly members: Readonly<Record<string, BtfMember | null>>
  private readonly where: string

  constructor(members: Readonly<Record<string, BtfMember | null>>, where: string) {
    this.members = members
    this.where = where
  }

  text(): string {
    return [...this.bodies].map(([name, body]) => `struct ${name} { ${body} };`).join('\n')
  }

  has(path: string): boolean {
    return Boolean(this.members[path])
  }

  /** A member, or `PATH[n]` of an array. */
  read(path: string, pointer: string): string {
    const [, name = path, index = ''] = /^(.*)\[(\d+)\]$/.exec(path) ?? []
    const member = this.member(name)
    if (member.length > 0 !== (index !== ''))
      throw broken(this.where, `${path}: an index is for arrays`)
    const size = member.size / Math.max(1, member.length)
    const value = this.at(
      member.offset + Number(index) * size,
      scalarType(size, member.signed),
      pointer,
    )
    if (member.bits !== undefined) {
      const { shift, width } = member.bits
      return `(((uint64)${value} >> ${shift}) & ${2 ** width - 1})`
    }
    // A variable is as wide as its first value; so no value is narrow.
    return size === 8 ? value : `((${member.signed ? 'int64' : 'uint64'})${value})`
  }

  /** Where a member begins. */
  offset(path: string): number {
    return this.member(path).offset
  }

  /** A 16-bit number in network order. Shifts, because bswap() came with bpftrace 0.15. */
  port(path: string, pointer: string): string {
    const value = this.read(path, pointer)
    return `(((${value} & 255) << 8) | (${value} >> 8))`
  }

  /** The text in an array of characters. */
  string(path: string, pointer: string): string {
    const { offset, size } = this.member(path)
    return `str(${atom(pointer)} + ${offset}, ${size})`
  }

  /** The byte at an address. */
  byte(pointer: string): string {
    return `((uint64)${this.at(0, 'unsigned char', pointer)})`
  }

  /** The 64-bit word at an address. */
  word(pointer: string): string {
    return this.at(0, 'unsigned long', pointer)
  }

  /** 16 bytes of an IPv6 address, for ntop(), and as four words. */
  address(
    path: string,
    pointer: string,
  ): { bytes: string; words: readonly [string, string, string, string] } {
    const { offset } = this.member(path)
    const word = (index: number) => this.at(offset + index * 4, 'unsigned int', pointer)
    return {
      bytes: this.at(offset, 'unsigned char', pointer, 16),
      words: [word(0), word(1), word(2), word(3)],
    }
  }

  /** An address in no struct of the kernel's: 16 bytes, and its first four. */
  bare(pointer: string): {
    bytes: string
    four: string
    words: readonly [string, string, string, string]
  } {
    const word = (index: number) => this.at(index * 4, 'unsigned int', pointer)
    return {
      bytes: this.at(0, 'unsigned char', pointer, 16),
      four: word(0),
      words: [word(0), word(1), word(2), word(3)],
    }
  }

  /** Whether the places are known that `bound` reads. */
  hasBound(): boolean {
    return Object.values(localAddress).every((path) => this.has(path))
  }

  /** The local address of a socket: its family and 16 bytes for ntop(), and four words. */
  bound(pointer: string): {
    family: string
    bytes: string
    words: readonly [string, string, string, string]
  } {
    const { family, in4, in6 } = localAddress
    const four = this.read(in4, pointer)
    const isFour = `${this.read(family, pointer)} == 2 && ${four} != 0`
    const [from4, from6] = [this.member(in4).offset, this.member(in6).offset]
    const start = `(uint64)${atom(pointer)} + (${isFour} ? ${from4} : ${from6})`
    const choose = (ofFour: string, ofSix: string) =>
      `(${isFour} ? (uint64)${ofFour} : (uint64)${ofSix})`
    const [first, second, third, fourth] = this.address(in6, pointer).words
    return {
      family: `(${isFour} ? 2 : 10)`,
      bytes: this.at(0, 'unsigned char', start, 16),
      words: [
        choose('0', first),
        choose('0', second),
        choose(String(0xffff0000), third),
        choose(four, fourth),
      ],
    }
  }

  /** A half of 16 bytes: 0 the first eight of them, 1 the others. */
  half(path: string, pointer: string, index: 0 | 1): string {
    return this.at(this.member(path).offset + 8 * index, 'unsigned long', pointer)
  }

  private at(offset: number, type: string, pointer: string, length = 0): string {
    const name = `er_${offset}_${type.replaceAll(' ', '_')}${length > 0 ? `_${length}` : ''}`
    const pad = offset > 0 ? `char pad[${offset}]; ` : ''
    this.bodies.set(name, `${pad}${type} v${length > 0 ? `[${length}]` : ''};`)
    return `((struct ${name} *)${atom(pointer)})->v`
  }

  private member(path: string): BtfMember {
    const member = this.members[path]
    if (member === undefined || member === null)
      throw broken(this.where, `no place known for ${path}`)
    return member
  }
}

function scalarType(size: number, signed: boolean): string {
  const type = { 1: 'char', 2: 'short', 4: 'int', 8: 'long' }[size] ?? 'long'
  return signed ? type : `unsigned ${type}`
}

function atom(expression: string): string {
  return /^[$@\w]+$/.test(expression) ? expression : `(${expression})`
}

/** Whether an expression reads a kernel struct. */
export function readsStruct(expression: string): boolean {
  return expression.includes(')->v')
}
