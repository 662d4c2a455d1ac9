import { expect, test } from 'vitest'
import { bigintOf, bytesOf } from '../../src/wire/access.ts'
import { codes, decode, eventsOf, record, shortRecord } from './harness.ts'

function firstOf(stream: string) {
  const [event] = eventsOf(decode(stream))
  if (!event) throw new Error('no event in the stream')
  return event
}

test('gives back every byte of a text', () => {
  const comm = Array.from({ length: 255 }, (_, at) => String.fromCharCode(at + 1))
  for (let at = 0; at < comm.length; at += 15) {
    const bytes = comm.slice(at, at + 15).join('')
    expect(bytesOf(firstOf(shortRecord(1, bytes)), 'comm').toString('latin1')).toBe(bytes)
  }
})

test('does not take a text for escaped that only looks like it', () => {
  expect(bytesOf(firstOf(shortRecord(1, 'a\\xff')), 'comm').toString('latin1')).toBe('a\\xff')
  expect(bytesOf(firstOf(shortRecord(1, '\\xff\xff')), 'comm').toString('latin1')).toBe('\\xff\xff')
})

test('gives the bytes of one item of a list', () => {
  const items = ['ls', 'a\xff\\']
  const parts = items.map((item, index) => record(codes.part, [7, index], [item])).join('')
  const event = firstOf(parts + record(codes.listing, [1, 7, 2, 2]))

  expect(items.map((_, at) => bytesOf(event, `argv[${at}]`).toString('latin1'))).toEqual(items)
  expect(() => bytesOf(event, 'argv[2]')).toThrow(/argv\[2\]/)
})

test('refuses bytes of what is no text', () => {
  expect(() => bytesOf(firstOf(shortRecord(1)), 'pid')).toThrow(/pid/)
  expect(() => bytesOf(firstOf(shortRecord(1)), 'nothing')).toThrow(/nothing/)
})

test('gives whole numbers as bigints', () => {
  const event = firstOf(record(codes.listing, ['18446744073709551615', 7, 0, 0]))

  expect([bigintOf(event, 'ktime_ns'), bigintOf(event, 'tid')]).toEqual([
    18_446_744_073_709_551_615n,
    7n,
  ])
  expect(() => bigintOf(event, 'argv')).toThrow(/argv/)
})
