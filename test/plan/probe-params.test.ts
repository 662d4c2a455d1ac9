import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EbpfRunError } from '../../src/errors.ts'
import { paramText, parseParams } from '../../src/plan/probe-params.ts'
import { type ProbeParam, type ProbeSpec } from '../../src/schema/define.ts'

const hour = 3_600_000_000_000
const min: ProbeParam = { doc: 'a time', unit: 'ns', default: 5, min: 0, max: hour }
const least: ProbeParam = { doc: 'a number', default: 3, min: 1, max: 9 }
const spec: ProbeSpec = {
  name: 'handmade',
  summary: 'made for this test',
  example: 'ebpf-run handmade',
  owner: 'task',
  events: {},
  variants: [],
  params: { min, least },
}
const timeOf = (text: string): number | undefined => parseParams(spec, { min: text })['min']

describe("a probe's own options", () => {
  it('have their defaults where they are not given', () => {
    expect(parseParams(spec, {})).toEqual({ min: 5, least: 3 })
    expect(parseParams(spec, { least: '7' })).toEqual({ min: 5, least: 7 })
  })

  it.each([
    ['0', 0],
    ['1ns', 1],
    ['250us', 250_000],
    ['10ms', 10_000_000],
    ['1.5s', 1_500_000_000],
    ['0.000000001s', 1],
    ['0.1us', 100],
    ['59.999999999m', 3_599_999_999_940],
    ['1h', hour],
  ])('read a time in nanoseconds: %s', (text, ns) => {
    expect(timeOf(text)).toBe(ns)
  })

  it.each([
    '',
    '10',
    '-1ms',
    '1.5ns',
    '0.0001us',
    '.5s',
    '1.s',
    '1e3s',
    '1 s',
    '10MS',
    '1d',
    '61m',
    '9999999999999999s',
    '0x10ns',
    '1ms; exit()',
  ])('refuse what is no time from 0 to an hour: %j', (text) => {
    expect(() => timeOf(text)).toThrow(
      expect.objectContaining({
        code: 'BAD_VALUE',
        message: '--min: a time with its unit from 0 to 1h was expected',
        found: JSON.stringify(text),
      }),
    )
  })

  it.each(['', '0', '10', '1.0', '-1', 'x', '3ms'])('refuse what is no such number: %j', (text) => {
    expect(() => parseParams(spec, { least: text })).toThrow(
      expect.objectContaining({
        code: 'BAD_VALUE',
        message: '--least: a whole number from 1 to 9 was expected',
      }),
    )
  })

  it.each(['most', 'toString'])('refuse a name that is none of theirs: %s', (name) => {
    expect(() => parseParams(spec, { [name]: '1' })).toThrow(EbpfRunError)
  })

  it('are read again as they are shown', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: hour }), (ns) => {
        expect(timeOf(paramText(min, ns))).toBe(ns)
      }),
    )
    expect(paramText(min, 10_000_000)).toBe('10ms')
    expect(paramText(least, 7)).toBe('7')
  })
})
