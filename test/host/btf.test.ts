import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { type Btf, openBtf } from '../../src/host/btf-types.ts'
import { findInBtf } from '../../src/host/btf.ts'
import { readBytes } from '../../src/host/read.ts'
import { makeBtf } from './btf-maker.ts'

const INT = 1
const PTR = 2
const ARRAY = 3
const STRUCT = 4
const UNION = 5
const TYPEDEF = 8
const CONST = 10
const FUNC = 12
const FUNC_PROTO = 13

const bytes = makeBtf([
  { kind: INT, name: 'int', sizeOrType: 4, items: [[0x01000020]] }, // 1
  { kind: INT, name: 'u8', sizeOrType: 1, items: [[8]] }, // 2
  { kind: ARRAY, items: [[2, 1, 16]] }, // 3: u8[16]
  {
    kind: STRUCT,
    name: 'inner',
    sizeOrType: 24,
    items: [
      ['num', 1, 0],
      ['addr', 3, 64],
    ],
  }, // 4
  {
    kind: UNION,
    sizeOrType: 8,
    items: [
      ['a', 1, 0],
      ['b', 7, 0],
    ],
  }, // 5: anonymous
  {
    kind: STRUCT,
    sizeOrType: 16,
    items: [
      ['hidden', 1, 32],
      ['', 5, 64],
    ],
  }, // 6: anonymous
  { kind: PTR, sizeOrType: 4 }, // 7
  { kind: TYPEDEF, name: 'inner_t', sizeOrType: 9 }, // 8
  { kind: CONST, sizeOrType: 4 }, // 9
  {
    kind: STRUCT,
    name: 'outer',
    sizeOrType: 80,
    items: [
      ['first', 8, 0],
      ['', 6, 256],
      ['next', 7, 512],
      ['last', 1, 576],
    ],
  }, // 10
  {
    kind: STRUCT,
    name: 'flags',
    flag: true,
    sizeOrType: 8,
    items: [
      ['bit', 1, (1 << 24) | 3],
      ['across', 1, (5 << 24) | 6],
      ['whole', 1, 32],
    ],
  }, // 11
  { kind: FUNC_PROTO, sizeOrType: 1, items: [['x', 1]] }, // 12
  { kind: FUNC, name: 'do_it', sizeOrType: 12 }, // 13
  { kind: STRUCT, name: 'twice', sizeOrType: 4, items: [['old', 1, 0]] }, // 14
  { kind: STRUCT, name: 'twice', sizeOrType: 8, items: [['new', 1, 32]] }, // 15
])

const opened = (each: Buffer): Btf => {
  const btf = openBtf(each)
  if (btf === null) throw new Error('no BTF')
  return btf
}
const small = opened(bytes)
const findMembers = (btf: Btf, members: readonly string[]) =>
  findInBtf(btf, { members, functions: [] }).members
const hasFunction = (btf: Btf, name: string) =>
  findInBtf(btf, { members: [], functions: [name] }).functions[name]
const find = (path: string) => findMembers(small, [path])[path]

describe('findMembers', () => {
  it('follows a path through typedefs and qualifiers', () => {
    expect(find('outer.first.num')).toEqual({ offset: 0, size: 4, signed: true, length: 0 })
  })

  it('gives the size of a whole array and the count of its elements', () => {
    expect(find('outer.first.addr')).toEqual({ offset: 8, size: 16, signed: false, length: 16 })
  })

  it('searches anonymous structs and unions, nested too', () => {
    expect(find('outer.hidden')).toMatchObject({ offset: 36 })
    expect(find('outer.b')).toEqual({ offset: 40, size: 8, signed: false, length: 0 })
  })

  it('starts at a typedef as well', () => {
    expect(find('inner_t.num')).toMatchObject({ offset: 0, size: 4 })
  })

  it('gives the bits of a bit-field in the number that holds them, and a place for its neighbour', () => {
    expect(find('flags.bit')).toEqual({
      offset: 0,
      size: 1,
      signed: false,
      length: 0,
      bits: { shift: 3, width: 1 },
    })
    expect(find('flags.across')).toEqual({
      offset: 0,
      size: 2,
      signed: false,
      length: 0,
      bits: { shift: 6, width: 5 },
    })
    expect(find('flags.whole')).toEqual({ offset: 4, size: 4, signed: true, length: 0 })
  })

  it('takes the struct that has the member when two share a name', () => {
    expect(find('twice.new')).toMatchObject({ offset: 4 })
    expect(find('twice.old')).toMatchObject({ offset: 0 })
  })

  it.each([
    'outer',
    'outer.nope',
    'nope.first',
    'outer.next.num',
    'outer.last.x',
    'flags.bit.x',
    'ter.last',
    '',
  ])('gives null for %j, which leads to no member', (path) => {
    expect(find(path)).toBeNull()
  })

  it('finds nothing in what is not BTF, and reads BTF at an odd address', () => {
    const shifted = Buffer.concat([Buffer.from('x'), bytes]).subarray(1)

    expect(openBtf(Buffer.from('not BTF at all, but long enough'))).toBeNull()
    expect(findMembers(opened(shifted), ['outer.last'])).toEqual({
      'outer.last': { offset: 72, size: 4, signed: true, length: 0 },
    })
  })
})

describe('hasFunction', () => {
  it('knows functions, and takes no struct for one', () => {
    expect(hasFunction(small, 'do_it')).toBe(true)
    expect(hasFunction(small, 'outer')).toBe(false)
    expect(hasFunction(small, 'do')).toBe(false)
  })
})

const file = readBytes('/sys/kernel/btf/vmlinux')

describe.skipIf('errno' in file)('the BTF of this kernel', () => {
  const btf = 'bytes' in file ? opened(file.bytes) : small

  it('has the members that probes read, where the kernel has kept them for years', () => {
    const members = findMembers(btf, [
      'sock.__sk_common.skc_num',
      'sock.__sk_common.skc_v6_daddr',
      'mm_struct.start_stack',
      'task_struct.comm',
      'task_struct.in_execve',
    ])

    expect(members['sock.__sk_common.skc_num']).toMatchObject({
      offset: 14,
      size: 2,
      signed: false,
    })
    expect(members['sock.__sk_common.skc_v6_daddr']).toMatchObject({ size: 16 })
    expect(members['mm_struct.start_stack']).toMatchObject({ size: 8, signed: false })
    expect(members['task_struct.comm']).toMatchObject({ size: 16, length: 16 })
    expect(members['task_struct.in_execve']).toMatchObject({ bits: { width: 1 } })
    expect(hasFunction(btf, 'tcp_v4_connect')).toBe(true)
    expect(hasFunction(btf, 'sock')).toBe(false)
  })

  it.skipIf(!existsSync('/usr/bin/pahole'))(
    'agrees with pahole on every plain member of sock',
    () => {
      const text = execFileSync('/usr/bin/pahole', ['-C', 'sock', '/sys/kernel/btf/vmlinux'], {
        encoding: 'latin1',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      // A member line: `	struct sk_buff *           sk_send_head;         /*   360     8 */`
      const lines = [
        ...text.matchAll(/^\t[^\t:]*?(\w+)(?:\[\d+\])?;\s+\/\*\s*(\d+)\s+(\d+)\s*\*\//gm),
      ]
      const expected = lines.map(([, name, offset, size]) => [
        `sock.${name}`,
        Number(offset),
        Number(size),
      ])

      const found = findMembers(
        btf,
        expected.map(([path]) => String(path)),
      )

      expect(expected.length).toBeGreaterThan(40)
      expect(Object.entries(found).map(([path, at]) => [path, at?.offset, at?.size])).toEqual(
        expected,
      )
    },
  )
})
