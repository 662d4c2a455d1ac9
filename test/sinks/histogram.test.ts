import { describe, expect, test } from 'vitest'
import tcprtt from '../../probes/tcprtt/probe.ts'
import { summaryProbe } from '../../src/schema/summary.ts'
import { histogramSink } from '../../src/sinks/histogram.ts'
import { groupLayouts } from '../../src/wire/groups.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { type Memory, pipe, terminal } from './helpers.ts'

const [event = ''] = Object.keys(tcprtt.events)
const { histogram } = tcprtt.aggregate

/** The heading of a histogram of round-trip times. */
function headingOf(out: Memory): readonly string[] {
  const groups = groupLayouts(layoutsOfProbe(tcprtt.events), ['raddr'])
  const probe = summaryProbe(tcprtt, groups, { histogram, repeats: false })
  const sink = histogramSink(out, { probe, fields: null, header: true, utc: true })
  sink.event({
    event,
    time: '2026-11-21T03:30:01.123456789Z',
    raddr: '127.0.0.1',
    count: 104,
    buckets: [{ ge: 4096, lt: 8192, count: 104 }],
  })
  return out
    .text()
    .split('\n')
    .filter((line) => !line.includes('█'))
}

describe('the heading of a histogram', () => {
  test('goes on in a further line, between its parts, where a terminal is narrow', () => {
    expect(headingOf(terminal(60))).toMatchInlineSnapshot(`
      [
        "03:30:01.123  raddr 127.0.0.1  104 events  p50 < 8.192 µs",
        "  p90 < 8.192 µs  p99 < 8.192 µs",
        "",
        "",
      ]
    `)
    expect(headingOf(terminal(10)).every((line) => !line.endsWith(' '))).toBe(true)
  })

  test('is one line in a pipe', () => {
    expect(headingOf(pipe())).toMatchInlineSnapshot(`
      [
        "03:30:01.123  raddr 127.0.0.1  104 events  p50 < 8.192 µs  p90 < 8.192 µs  p99 < 8.192 µs",
        "",
        "",
      ]
    `)
  })
})
