import { describe, expect, it } from 'vitest'
import { EbpfRunError } from '../../src/errors.ts'
import { parseLinearRange } from '../../src/plan/linear-range.ts'
import type { FieldSpec } from '../../src/schema/define.ts'

const duration: FieldSpec = { kind: 'duration', unit: 'ns', doc: 'a time' }
const bytes: FieldSpec = { kind: 'u64', unit: 'bytes', doc: 'a size' }
const number: FieldSpec = { kind: 'i64', doc: 'a number' }
const rangeOf = (text: string, spec: FieldSpec) => parseLinearRange('linear', text, spec)

describe('the range of a linear histogram', () => {
  it.each([
    ['0..10ms/500us', duration, { min: 0, max: 10_000_000, step: 500_000 }],
    ['1.5us..2us/1ns', duration, { min: 1500, max: 2000, step: 1 }],
    ['0..64K/4K', bytes, { min: 0, max: 65_536, step: 4096 }],
    ['1460..14600/1460', bytes, { min: 1460, max: 14_600, step: 1460 }],
    ['-20..20/1', number, { min: -20, max: 20, step: 1 }],
    ['-9..-3/2', number, { min: -9, max: -3, step: 2 }],
    ['0..1000/1', number, { min: 0, max: 1000, step: 1 }],
  ])('%j is in the unit of the field', (text, spec, range) => {
    expect(rangeOf(text, spec)).toEqual(range)
  })

  it.each([
    ['', number],
    ['0..10', number],
    ['0..10/', number],
    ['0..10/1/1', number],
    ['0-10/1', number],
    ['0..10/x', number],
    ['0..1e3/1', number],
    ['0..9999999999999999/1', number],
    ['0..10ms/1ms', number],
    ['0..10/1', duration],
    ['0..10ms/1000', duration],
    ['-1ms..1ms/1ms', duration],
    ['0..1ms/0.5ns', duration],
    ['0..64k/4k', bytes],
    ['0..10/1"; exit();', number],
    ['0..10/3', number],
    ['0..10/0', number],
    ['0..10/-1', number],
    ['10..0/1', number],
    ['5..5/1', number],
    ['0..1001/1', number],
  ])('%j is none', (text, spec) => {
    expect(() => rangeOf(text, spec)).toThrow(EbpfRunError)
  })

  it('is answered with an example in the unit of the field', () => {
    expect(() => rangeOf('x', duration)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }))
    expect(remedyOf(() => rangeOf('x', bytes))).toContain('0..64K/4K')
    expect(remedyOf(() => rangeOf('x', duration))).toContain('0..10ms/500us')
  })
})

function remedyOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof EbpfRunError) return error.remedy ?? ''
  }
  return ''
}
