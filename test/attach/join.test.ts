import { describe, expect, test } from 'vitest'
import { defineTrace } from '../../src/attach/define.ts'
import { joinProbes, onlyVariant, partNames } from '../../src/attach/join.ts'
import { parseAttachPoint } from '../../src/attach/point.ts'
import type { TraceRequest } from '../../src/attach/request.ts'
import { EbpfRunError } from '../../src/errors.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { knownHere } from './known.ts'

const plain = { fields: [], where: null, atReturn: false, latency: false } as const

function joined(texts: readonly string[], asked: Partial<TraceRequest> = {}) {
  const points = texts.map(parseAttachPoint)
  const names = partNames(points)
  return joinProbes(
    points.map((point, index) => {
      const part = names[index]
      return defineTrace({ ...plain, ...asked, point, ...(part ? { part } : {}) }, knownHere)
    }),
  )
}

function programOf(texts: readonly string[], asked: Partial<TraceRequest>, variant: string) {
  const probe = joined(texts, asked)
  const request = { filters: [], params: {}, variant, backend: null, bufferBytes: null }
  const plan = makePlan(probe, request, factsFor(probe, '0.23.0'))
  return plan.render(plan.placeholders)
}

describe('several attach points in one trace', () => {
  test('have an event type each, named by the function, and by the type too where that is not enough', () => {
    expect(
      Object.keys(
        joined(['kprobe:tcp_thing', 'kretprobe:tcp_thing', 'tracepoint:sock:thing']).spec.events,
      ),
    ).toEqual(['kprobe_tcp_thing', 'kretprobe_tcp_thing', 'thing'])
  })

  test('are refused where one is named twice', () => {
    const named = () => partNames(['p:tcp_thing', 'kprobe:tcp_thing'].map(parseAttachPoint))

    expect(named).toThrow(EbpfRunError)
    expect(named).toThrow('kprobe:tcp_thing is named twice')
  })

  test('keep what they keep in maps of their own', () => {
    const program = programOf(
      ['function:tcp_thing', 'function:tcp_other'],
      { latency: true },
      'kretprobe',
    )

    expect(program).toContain('@start_1[tid] = nsecs;')
    expect(program).toContain('@start_2[tid] = nsecs;')
    expect(program).not.toContain('@start[')
    expect(program).not.toMatch(/@a0\[/)
  })

  test('have the best way of each as the first variant, and the last of each as the last', () => {
    const { spec } = joined(['function:tcp_thing', 'tracepoint:sock:thing'])

    expect(spec.variants.map(({ name }) => name)).toEqual(['mixed', 'mixed2'])
    expect(spec.variants.map(({ needs }) => JSON.stringify(needs).includes('fentry'))).toEqual([
      true,
      false,
    ])
  })
})

test('a probe with one variant alone has no field that this one leaves null', () => {
  const { spec, templates } = joined(['kprobe:tcp_thing'])
  const [variant] = spec.variants
  if (variant === undefined) throw new Error('no variant')
  const told = { ...variant, cannotTell: { size: 'it cannot' } }
  const made = onlyVariant({ spec: { ...spec, variants: [told, variant] }, templates }, told)
  const event = made.spec.events['tcp_thing']

  expect(made.spec.variants.map(({ cannotTell }) => cannotTell)).toEqual([{}, {}])
  expect(Object.keys(event?.fields ?? {})).not.toContain('size')
  expect(event?.table).not.toContain('size')
})
