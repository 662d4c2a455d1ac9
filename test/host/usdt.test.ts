import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elfAddress, elfUsdt, type UsdtProbe } from '../../src/host/elf.ts'
import { type ArgumentSource, markPlaces, parseArgument } from '../../src/host/usdt.ts'
import { markPrograms } from '../../src/plan/usdt-bcc.ts'

const x86 = 62
/** Names of a file: `table` lies 256 bytes behind the mark. */
const distance = (name: string) => (name === 'table' ? 256n : null)
const parse = (text: string, machine = x86) => parseArgument(text, machine, distance)

const register = (name: string, bytes: number, shift = 0) =>
  ({ is: 'register', register: name, bytes, shift }) as ArgumentSource
const memory = (offset: string, ...registers: (readonly [string, number])[]) =>
  ({
    is: 'memory',
    offset,
    registers: registers.map(([each, times]) => ({ register: each, times })),
  }) as ArgumentSource

describe('an argument of a mark', () => {
  it.each([
    ['8@%rdi', 8, false, register('di', 8)],
    ['-4@%eax', 4, true, register('ax', 4)],
    ['2@%bp', 2, false, register('bp', 2)],
    ['-1@%ch', 1, true, register('cx', 1, 8)],
    ['1@%sil', 1, false, register('si', 1)],
    ['-4@%r13d', 4, true, register('r13', 4)],
    ['2@%r8w', 2, false, register('r8', 2)],
    ['1@%r15b', 1, false, register('r15', 1)],
    ['-4@$-6', 4, true, { is: 'constant', value: '-6' }],
    ['8@$0x10', 8, false, { is: 'constant', value: '16' }],
    ['8@$18446744073709551615', 8, false, { is: 'constant', value: '18446744073709551615' }],
    ['8@(%rax)', 8, false, memory('0', ['ax', 1])],
    ['4@-20(%rbp)', 4, false, memory('-20', ['bp', 1])],
    ['4@0x10(%rsp)', 4, false, memory('16', ['sp', 1])],
    ['8@8-16(%r12)', 8, false, memory('-8', ['r12', 1])],
    ['8@(%rax,%rbx,8)', 8, false, memory('0', ['ax', 1], ['bx', 8])],
    ['8@-8(%rax,%rbx)', 8, false, memory('-8', ['ax', 1], ['bx', 1])],
    ['8@16(,%rcx,4)', 8, false, memory('16', ['cx', 4])],
    ['8@table(%rip)', 8, false, memory('256', ['ip', 1])],
    ['4@-4+table(%rip)', 4, false, memory('252', ['ip', 1])],
    ['4@table+8', 4, false, memory('264', ['ip', 1])],
    ['8@table(,%rdx,8)', 8, false, memory('256', ['ip', 1], ['dx', 8])],
  ])('%s is read', (text, size, signed, source) => {
    expect(parse(text)).toEqual({ text, size, signed, source })
  })

  it.each([
    ['8f@%xmm0', 'floating-point'],
    ['-8f@$1', 'floating-point'],
    ['3@%rax', 'how wide'],
    ['%rax', 'how wide'],
    ['8@%xmm0', 'where it lies'],
    ['8@%rip', 'where it lies'],
    ['8@%constructor', 'where it lies'],
    ['8@$', 'where it lies'],
    ['8@$table', 'where it lies'],
    ['8@$18446744073709551616', 'where it lies'],
    ['8@$-9223372036854775809', 'where it lies'],
    ['8@', 'where it lies'],
    ['8@1234', 'where it lies'],
    ['8@4(%rip)', 'where it lies'],
    ['8@(%eax)', 'where it lies'],
    ['8@(%rax,%rbx,3)', 'where it lies'],
    ['8@(%rax,%rip,8)', 'where it lies'],
    ['8@()', 'where it lies'],
    ['8@nobody(%rip)', 'the file does not tell where nobody lies'],
    ['8@-table(%rip)', 'where it lies'],
    ['8@table+table(%rip)', 'where it lies'],
    ['8@table@GOTPCREL(%rip)', 'where it lies'],
    ['4@%fs:table@tpoff', 'where it lies'],
    ['8@18446744073709551615+1(%rax)', 'where it lies'],
  ])('%s is not, and says why', (text, why) => {
    expect(parse(text)).toMatchObject({
      text,
      source: { is: 'unreadable', why: expect.stringContaining(why) },
    })
  })

  it('of another machine is not read', () => {
    expect(parse('8@[sp, 8]', 183).source).toMatchObject({
      why: 'arguments are read on x86-64 alone',
    })
  })
})

/** Pieces that operands are made of, and some that they never are. */
const piece = fc.oneof(
  fc.constantFrom(
    ...['8@', '-4@', '1f@', '$', '%', '%rax', '%r9d', '%ah', '%rip', '(', ')', ',', '+', '-'],
    ...['0x', '8', '20', 'table', '(%rbp)', '(%rax,%rbx,8)', ' ', '*', ';', '"', '}', '\n', '\\'],
    ...['__proto__', 'toString', '\u0000', 'é', '/*', '99999999999999999999'],
  ),
  fc.string({ maxLength: 4 }),
)
const anyhow = fc.array(piece, { maxLength: 10 }).map((parts) => parts.join(''))
const operand = fc.constantFrom('$-5', '%r9d', '-20(%rbp)', '(%rax,%rbx,8)', '8+table(%rip)')
/** Sound ones, with something put in anywhere. */
const nearly = fc
  .tuple(fc.constantFrom('8@', '-4@', '1@'), operand, fc.nat({ max: 14 }), fc.option(piece))
  .map(([size, each, at, odd]) => `${size}${each.slice(0, at)}${odd ?? ''}${each.slice(at)}`)
const notes = fc.oneof(
  anyhow,
  fc.array(nearly, { maxLength: 3 }).map((all) => all.join(' ')),
)

const noteWith = (text: string): UsdtProbe => ({
  ...{ provider: 'p', name: 'm', address: 0x1000n, semaphore: 0n, offset: 0x1000, counter: null },
  arguments: text,
  machine: x86,
})

it('no note is more than values: what it says never stands in a program', () => {
  let read = 0
  fc.assert(
    fc.property(notes, (text) => {
      const [place] = markPlaces([noteWith(text)], distance)
      expect(JSON.parse(JSON.stringify(place))).toEqual(place)
      for (const [index, { source }] of (place?.arguments ?? []).entries()) {
        const render = () => markPrograms(place === undefined ? [] : [place], [index])
        if (source.is === 'unreadable') {
          expect(render).toThrow(RangeError)
          continue
        }
        read += 1
        expect(render()[0]?.values[0]).toMatch(
          /^\(u64\)(?:\([su]\d+\)0x[0-9a-f]{1,16}ULL|\([su]\d+\)\(u\d+\)\(ctx->\w{2,3} >> [08]\)|ER_USER\(\d+, [su]\d+, 0x[0-9a-f]{1,16}ULL(?: \+ ctx->\w{2,3} \* [1248]){1,3}\))$/,
        )
      }
    }),
    { numRuns: 10_000 },
  )
  expect(read).toBeGreaterThan(100)
})

describe('the marks of a program', () => {
  const file = readFileSync(
    fileURLToPath(new URL('../../scripts/lab/inside/marks', import.meta.url)),
  )
  const addressOf = (name: string) => elfAddress(file, name)
  const placesOf = (bytes: Buffer, wanted: string) =>
    markPlaces(elfUsdt(bytes)?.filter(({ name }) => name === wanted) ?? [], addressOf)

  it('lie in the file where its segments have them, not at their addresses', () => {
    const [note] = elfUsdt(file)?.filter(({ name }) => name === 'raised') ?? []

    expect(note?.address).toBeGreaterThan(0x11000n)
    // A nop, which the kernel puts its breakpoint in place of.
    expect(file[note?.offset ?? 0]).toBe(0x90)
    expect(note?.counter).toBe(Number(note?.semaphore) - 0x11000)
    expect(placesOf(file, 'several')).toHaveLength(4)
    expect(placesOf(file, 'several').every(({ offset }) => file[offset] === 0x90)).toBe(true)
  })

  it('have values behind names of the file', () => {
    const [first] = placesOf(file, 'reached')
    const [note] = elfUsdt(file)?.filter(({ name }) => name === 'reached') ?? []
    const distanceTo = (name: string) => (addressOf(name) ?? 0n) - (note?.address ?? 0n)

    expect(first?.arguments.map(({ source }) => source)).toEqual([
      memory('8', ['cx', 1], ['dx', 8]),
      memory(distanceTo('settled').toString(), ['ip', 1]),
    ])
    expect(elfAddress(file, 'nobody')).toBeNull()
    expect(placesOf(file, 'unreadable')[0]?.arguments.map(({ source }) => source.is)).toEqual([
      'register',
      'unreadable',
      'constant',
      'unreadable',
    ])
  })

  it('move with the file where it was moved after its notes were written', () => {
    const [before] = elfUsdt(file)?.filter(({ name }) => name === 'raised') ?? []
    const moved = Buffer.from(file)
    // All that has an address is 4096 bytes further on: segments, sections, and .stapsdt.base among them.
    shiftAddresses(moved, 4096n)
    const [after] = elfUsdt(moved)?.filter(({ name }) => name === 'raised') ?? []

    expect(after?.address).toBe((before?.address ?? 0n) + 4096n)
    expect(after?.semaphore).toBe((before?.semaphore ?? 0n) + 4096n)
    expect([after?.offset, after?.counter]).toEqual([before?.offset, before?.counter])
  })

  it('are at no place where one of them lies in no part of the file', () => {
    const cut = Buffer.from(file)
    for (const at of segmentsOf(cut)) cut.writeBigUInt64LE(1n, at + 32)

    expect(elfUsdt(cut)?.map(({ offset }) => offset)).toEqual(
      Array.from({ length: 11 }, () => null),
    )
    expect(placesOf(cut, 'several')).toEqual([])
  })
})

function segmentsOf(bytes: Buffer): readonly number[] {
  const first = Number(bytes.readBigUInt64LE(0x20))
  return Array.from({ length: bytes.readUInt16LE(0x38) }, (_, index) => first + index * 56)
}

function shiftAddresses(bytes: Buffer, by: bigint): void {
  const sections = Number(bytes.readBigUInt64LE(0x28))
  for (const at of segmentsOf(bytes))
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at + 16) + by, at + 16)
  for (let index = 1; index < bytes.readUInt16LE(0x3c); index++) {
    const at = sections + index * 64 + 16
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) + by, at)
  }
}
