import { describe, expect, it } from 'vitest'
import {
  hookNames,
  memberNames,
  memberOf,
  openBtf,
  rawTracepointOf,
  signatureOf,
  structOf,
} from '../../src/host/btf-types.ts'
import { readBytes } from '../../src/host/read.ts'
import { makeBtf } from './btf-maker.ts'

const [INT, PTR, STRUCT, UNION, TYPEDEF, CONST, FUNC, FUNC_PROTO] = [1, 2, 4, 5, 8, 10, 12, 13]
const signed = 0x01000020

const small = makeBtf([
  { kind: INT, name: 'int', sizeOrType: 4, items: [[signed]] }, // 1
  { kind: INT, name: 'char', sizeOrType: 1, items: [[8]] }, // 2
  { kind: CONST, sizeOrType: 2 }, // 3: const char
  { kind: PTR, sizeOrType: 3 }, // 4: const char *
  { kind: UNION, sizeOrType: 4, items: [['inner', 1, 0]] }, // 5: anonymous
  {
    kind: STRUCT,
    name: 'thing',
    sizeOrType: 16,
    items: [
      ['', 5, 0],
      ['next', 7, 64],
    ],
  }, // 6
  { kind: PTR, sizeOrType: 6 }, // 7: struct thing *
  {
    kind: FUNC_PROTO,
    sizeOrType: 1,
    items: [
      ['t', 7],
      ['name', 4],
    ],
  }, // 8
  { kind: FUNC, name: 'do_thing', sizeOrType: 8 }, // 9
  {
    kind: FUNC_PROTO,
    sizeOrType: 0,
    items: [
      ['', 7],
      ['', 7],
    ],
  }, // 10
  { kind: PTR, sizeOrType: 10 }, // 11
  { kind: TYPEDEF, name: 'btf_trace_thing_done', sizeOrType: 11 }, // 12
  {
    kind: FUNC_PROTO,
    sizeOrType: 1,
    items: [
      ['__data', 7],
      ['t', 7],
    ],
  }, // 13
  { kind: FUNC, name: '__traceiter_thing_done', sizeOrType: 13 }, // 14
])
const btf = openBtf(small)
if (btf === null) throw new Error('the BTF of the test is none')

describe('what BTF says', () => {
  it('of a function: its arguments and what it returns, as C spells them', () => {
    const signature = signatureOf(btf, 'do_thing')

    expect(signature?.arguments.map(({ name, type }) => [name, type.text])).toEqual([
      ['t', 'struct thing *'],
      ['name', 'const char *'],
    ])
    expect(signature?.arguments.map(({ type }) => [type.struct, type.isText])).toEqual([
      ['thing', false],
      [null, true],
    ])
    expect(signature?.returns).toMatchObject({ text: 'int', as: 'int', size: 4, signed: true })
    expect(signatureOf(btf, 'thing')).toBeNull()
  })

  it('of a raw tracepoint: its arguments with their names, without the first', () => {
    expect(rawTracepointOf(btf, 'thing_done')?.arguments.map(({ name }) => name)).toEqual(['t'])
    expect(rawTracepointOf(btf, 'thing')).toBeNull()
  })

  it('of a struct: its members, and those of anonymous ones inside it', () => {
    expect(
      structOf(btf, 'thing')?.members.map(({ name, offsetBits }) => [name, offsetBits]),
    ).toEqual([
      ['', 0],
      ['next', 64],
    ])
    expect(memberNames(btf, 'thing')).toEqual(['inner', 'next'])
    expect(memberOf(btf, 'thing.inner')).toMatchObject({ size: 4, type: { text: 'int' } })
    expect(memberOf(btf, 'thing.nope')).toBeNull()
  })

  it('can be hooked', () => {
    expect(hookNames(small)).toEqual({
      functions: ['__traceiter_thing_done', 'do_thing'],
      rawTracepoints: ['thing_done'],
    })
  })
})

const file = readBytes('/sys/kernel/btf/vmlinux')

describe.skipIf('errno' in file)('the BTF of this kernel', () => {
  const real = 'bytes' in file ? openBtf(file.bytes) : null

  it('describes tcp_v4_connect, and leads from its socket to the port', () => {
    if (real === null) throw new Error('no BTF')
    expect(signatureOf(real, 'tcp_v4_connect')?.arguments[0]?.type).toMatchObject({
      text: 'struct sock *',
      struct: 'sock',
    })
    expect(memberOf(real, 'sock.__sk_common.skc_dport')).toMatchObject({
      size: 2,
      type: { text: '__be16' },
    })
  })
})
