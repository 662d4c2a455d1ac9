import { describe, expect, test } from 'vitest'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { summaryProbe } from '../../src/schema/summary.ts'
import { connects } from '../sinks/helpers.ts'

const spec = connects.events['connect']?.fields ?? {}
const shape = (name: string) => {
  const field = spec[name]
  if (field === undefined) throw new Error(`no ${name}`)
  return { name, spec: field }
}
const shapes = [{ event: 'connect', keys: [shape('comm')], measures: [shape('duration_ns')] }]
const options = { histogram: null, repeats: false }
const tableOf = (probe: ProbeSpec) => summaryProbe(probe, shapes, options).events['connect']?.table

describe('the table of a summary', () => {
  test('has average and quantiles of a duration', () => {
    expect(tableOf(connects)).toEqual([
      'comm',
      'count',
      'duration_avg_ns',
      'duration_p50_ns',
      'duration_p90_ns',
      'duration_p99_ns',
    ])
  })

  test('has its sum where the probe asks for totals', () => {
    expect(tableOf({ ...connects, aggregate: { by: ['comm'], totals: true } })).toEqual([
      'comm',
      'count',
      'duration_sum_ns',
    ])
  })
})
