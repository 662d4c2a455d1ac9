import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readPrintk, readPrintkFormat } from '../../src/printk/record.ts'
import { readPageFormat, recordsOf } from '../../src/printk/ring.ts'
import { formatText, headerPage } from './texts.ts'

const page = readPageFormat(headerPage) ?? { dataOffset: 0, bytes: 0 }
const format = readPrintkFormat(formatText)

/** A page of Linux 6.18: three messages, the last two a third of a second after the one before. */
const real =
  'a823da2dbb12000058000000000000000500000026028011d23500000c00060066697273740000005e4d2a3d020000000600000026028011d23500000c000c007365636f6e64206c696e6500fe1df23c020000000400000026028011d23500000c00020078000000'

function pageOf(time: bigint, data: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(page.dataOffset)
  head.writeBigUInt64LE(time)
  head.writeUInt32LE((data.length | flags) >>> 0, 8)
  return Buffer.concat([head, data], page.bytes)
}

const word = (type: number, delta: number, ...more: number[]) => {
  const bytes = Buffer.alloc(4 + 4 * more.length)
  bytes.writeUInt32LE(((delta << 5) | type) >>> 0)
  more.forEach((each, index) => bytes.writeUInt32LE(each >>> 0, 4 + 4 * index))
  return bytes
}
const times = (bytes: Buffer) => [...recordsOf(bytes, page)].map(({ ktime }) => ktime)

describe('a page of the trace buffer', () => {
  test('of a real kernel has its messages, at their times', () => {
    const bytes = Buffer.concat([Buffer.from(real, 'hex')], page.bytes)
    const messages = [...recordsOf(bytes, page)].map(
      ({ ktime, data }) => format && readPrintk(format, 0, ktime, data),
    )
    const start = 20_595_137_455_016n
    expect(messages).toMatchObject([
      { ktime: start, tid: 13_778, message: 'first', preemptDepth: 1 },
      { tid: 13_778, message: 'second line', flags: 128 },
      { tid: 13_778, message: 'x' },
    ])
    const [first, second, third] = messages.map((each) => each?.ktime ?? 0n)
    for (const span of [(second ?? 0n) - (first ?? 0n), (third ?? 0n) - (second ?? 0n)])
      expect(Number(span) / 1e6).toBeCloseTo(303, -1)
  })

  test('steps over padding, and ends where padding has no length', () => {
    const data = Buffer.concat([word(29, 1, 8, 0), word(1, 5, 7), word(29, 0), word(1, 5, 7)])
    expect(times(pageOf(100n, data))).toEqual([105n])
  })

  test('has times relative, extended and absolute', () => {
    const data = Buffer.concat([
      word(1, 3, 0),
      word(30, 1, 2),
      word(1, 0, 0),
      word(31, 9, 1),
      word(1, 1, 0),
    ])
    expect(times(pageOf(10n, data))).toEqual([13n, 13n + (2n << 27n) + 1n, (1n << 27n) + 10n])
  })

  test('has records longer than 112 bytes', () => {
    const data = Buffer.concat([word(0, 1, 204), Buffer.alloc(200, 'x'), word(1, 1, 0)])
    expect([...recordsOf(pageOf(0n, data), page)].map((each) => each.data.length)).toEqual([200, 4])
  })

  test('may say that records before it are missing', () => {
    expect(times(pageOf(0n, word(1, 1, 0), 0xc000_0000))).toEqual([1n])
  })

  test.each([
    ['its length', (bytes: Buffer) => bytes.writeUInt32LE(0xf_ffff, 8)],
    ['the length of a record', (bytes: Buffer) => bytes.writeUInt32LE(8_000, page.dataOffset + 4)],
    ['a length below zero', (bytes: Buffer) => bytes.writeUInt32LE(0, page.dataOffset + 4)],
  ])('that is wrong in %s is an error and not read beyond', (_, damage) => {
    const bytes = pageOf(0n, Buffer.concat([word(0, 1, 8), Buffer.alloc(8)]))
    damage(bytes)
    expect(() => times(bytes)).toThrow(RangeError)
  })

  test('of any bytes is read to an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 256 }), (data) => {
        try {
          expect(times(pageOf(0n, Buffer.from(data))).length).toBeLessThan(65)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })
})

test('formats of another form are not guessed', () => {
  expect(page).toEqual({ dataOffset: 16, bytes: 4_096 })
  expect(format).toEqual({ id: 550, type: 0, flags: 2, preempt: 3, pid: 4, text: 8 })
  expect(readPageFormat('nothing')).toBeNull()
  expect(readPrintkFormat(formatText.replace('bpf_string', 'other'))).toBeNull()
})
