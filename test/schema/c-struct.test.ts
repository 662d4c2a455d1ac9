import { describe, expect, it } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { cDeclaration, cStruct } from '../../src/schema/c-struct.ts'
import { common, owner, socket } from '../../src/schema/common.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'

const fieldsOf = (fields: Readonly<Record<string, (typeof common)[keyof typeof common]>>) =>
  Object.entries(fields).map(([name, spec]) => ({ name, spec }))

describe('the struct of a record', () => {
  it('puts the widest members first, behind the header, and texts with room for one byte more and a NUL', () => {
    const struct = cStruct('thing', [
      { name: 'comm', spec: common.comm },
      { name: 'lport', spec: socket.lport },
      { name: 'raddr', spec: socket.raddr },
      { name: 'pid', spec: common.pid },
      { name: 'ktime_ns', spec: common.ktime_ns },
    ])

    expect(struct.members).toEqual([
      { name: 'ktime_ns', type: 'u64', offset: 8, bytes: 8 },
      { name: 'raddr', type: 'address', offset: 16, bytes: 16 },
      { name: 'pid', type: 'u32', offset: 32, bytes: 4 },
      { name: 'lport', type: 'u16', offset: 36, bytes: 2 },
      { name: 'comm', type: 'text', offset: 38, bytes: 17 },
    ])
    expect(struct.bytes).toBe(56)
    expect(cDeclaration(struct)).toContain('  __u32 raddr[4];\n  __u32 pid;\n  __u16 lport;\n')
    expect(cDeclaration(struct)).toContain('sizeof(struct thing) == 56')
  })

  it('has a sign and 64 bits where a negative number stands for no value', () => {
    const spec = { ...owner.pid, nullAs: -1 } as const

    expect(cStruct('thing', [{ name: 'pid', spec }]).members).toMatchObject([{ type: 'i64' }])
    expect(cStruct('thing', fieldsOf({ pid: common.pid })).members).toMatchObject([{ type: 'u32' }])
  })

  it.each([
    [2 ** 31, 'i64'],
    [1, 'i32'],
  ])('of a number with a sign has room for %d, which stands for no value', (nullAs, type) => {
    const spec = { kind: 'i32', doc: 'a number', nullAs } as const

    expect(cStruct('thing', [{ name: 'code', spec }]).members).toMatchObject([{ type }])
  })

  it.each(Object.entries(builtin))('needs no padding between members: %s', async (_, { load }) => {
    const spec = await load()
    for (const { closed, texts } of layoutsOfProbe(spec.events)) {
      const wide = { u64: 8, i64: 8, stack: 8, address: 4, u32: 4, i32: 4 }
      const widths = { ...wide, u16: 2, u8: 1, text: 1 }
      for (const member of cStruct('record', [...closed, ...texts]).members) {
        expect(member.offset % widths[member.type], member.name).toBe(0)
      }
    }
  })
})
