import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { indexBtf, openTypes } from '../../src/host/btf-layout.ts'
import { hookNames, openBtf, signatureOf, structOf } from '../../src/host/btf-types.ts'
import { openKernelBtf } from '../../src/host/kernel-btf.ts'
import { pagesOf } from '../../src/host/pages.ts'
import { readBytes } from '../../src/host/read.ts'
import { makeBtf } from './btf-maker.ts'

const file = '/sys/kernel/btf/vmlinux'
const home = mkdtempSync(join(tmpdir(), 'ebpf-run-btf-'))
afterAll(() => rmSync(home, { recursive: true }))
// Whose cache this is: root's is the machine's own.
const env = { XDG_CACHE_HOME: home }
const folder = process.geteuid?.() === 0 ? '/var/cache/ebpf-run' : join(home, 'ebpf-run')

/** What is found of every 500th function, and of some structs. */
function looked(names: readonly string[]) {
  const { btf, close } = openKernelBtf(env)
  try {
    if (btf === null) throw new Error('no BTF')
    return {
      signatures: names.map((name) => signatureOf(btf, name)),
      structs: ['sock', 'task_struct', 'tcp_sock', 'no_such_struct'].map((name) =>
        structOf(btf, name),
      ),
    }
  } finally {
    close()
  }
}

describe.skipIf(!existsSync(file))("the kernel's BTF", () => {
  const read = readBytes(file)
  const bytes = 'bytes' in read ? read.bytes : Buffer.alloc(0)
  const names = hookNames(bytes).functions.filter((_, at) => at % 500 === 0)
  const whole = openBtf(bytes)

  it('is the same by its index as read whole, the first time and the next', () => {
    if (whole === null) throw new Error('no BTF')
    const expected = {
      signatures: names.map((name) => signatureOf(whole, name)),
      structs: ['sock', 'task_struct', 'tcp_sock', 'no_such_struct'].map((name) =>
        structOf(whole, name),
      ),
    }

    expect(names.length).toBeGreaterThan(50)
    expect(looked(names)).toEqual(expected)
    expect(looked(names)).toEqual(expected)
    expect(readdirSync(folder).filter((name) => /^btf-[0-9a-f]{16}\.idx$/.test(name))).not.toEqual(
      [],
    )
  })

  it('is read whole where the index that was kept is damaged', () => {
    const index = indexBtf(bytes)
    if (index === null) throw new Error('no BTF')

    expect(openTypes(pagesOf(bytes), pagesOf(index))?.count).toBe(whole?.index.count)
    expect(openTypes(pagesOf(bytes), pagesOf(index.subarray(0, -4)))).toBeNull()
    expect(openTypes(pagesOf(bytes), pagesOf(Buffer.alloc(64)))).toBeNull()
    expect(openTypes(pagesOf(bytes), pagesOf(Buffer.alloc(0)))).toBeNull()
  })
})

describe('an index', () => {
  it('has every name, those of several types too, in the order of the types', () => {
    const types = [...Array(3000).keys()].map((at) => ({ kind: 12, name: `f${at % 1000}` }))
    const bytes = makeBtf(types)
    const index = openBtf(bytes)?.index

    for (let at = 0; at < 1000; at++)
      expect(index?.named(`f${at}`)).toEqual([at + 1, at + 1001, at + 2001])
    expect(index?.named('f1000')).toEqual([])
    expect(index?.named('')).toEqual([])
  })

  it('of nothing, and of one type', () => {
    expect(openBtf(makeBtf([]))?.index.named('x')).toEqual([])
    expect(openBtf(makeBtf([{ kind: 12, name: 'x' }]))?.index.named('x')).toEqual([1])
  })
})
