import { describe, expect, test } from 'vitest'
import type { AnyEvent, EventSpec } from '../../src/schema/define.ts'
import { createDecoder } from '../../src/wire/decoder.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { linesOf, record, token } from './harness.ts'

const drop = {
  doc: 'a call stack between other fields',
  fields: {
    pid: { kind: 'u32', doc: '' },
    comm: { kind: 'text', bytes: 15, doc: '' },
    stack: { kind: 'stack', emptyIsNull: true, doc: '' },
  },
  table: [],
} as const satisfies EventSpec

/** As bpftrace 0.11 to 0.27 print it. */
const printed =
  '\n        kfree_skb+118\n        tcp_v4_rcv+153\n        ip_protocol_deliver_rcu+40\n'
const frames = ['kfree_skb+118', 'tcp_v4_rcv+153', 'ip_protocol_deliver_rcu+40']

function decode(
  bytes: string,
  { mode = 'object', leftOut = [] }: { mode?: 'object' | 'ndjson'; leftOut?: string[] } = {},
) {
  const events: AnyEvent[] = []
  const faults: string[] = []
  const decoder = createDecoder({
    token,
    events: { drop },
    layouts: layoutsOfProbe({ drop }, new Set(leftOut)),
    clock: { offsetNs: 0n },
    mode,
    handlers: {
      event: (event) => events.push(event),
      lines: (lines) => events.push(...linesOf(lines).map((line): AnyEvent => JSON.parse(line))),
      heartbeat: () => {},
      end: () => {},
      fault: (_, reason) => faults.push(reason),
      other: (line) => faults.push(line),
    },
  })
  decoder.push(Buffer.from(bytes, 'latin1'))
  decoder.end()
  return { events, faults }
}

describe.each(['object', 'ndjson'] as const)('a call stack, decoded to %s', (mode) => {
  test('is a list of its functions, the innermost first', () => {
    const { events, faults } = decode(record('0', [7], ['sh', printed]).repeat(2), { mode })

    expect(events).toEqual([
      { event: 'drop', pid: 7, comm: 'sh', stack: frames },
      { event: 'drop', pid: 7, comm: 'sh', stack: frames },
    ])
    expect(faults).toEqual([])
  })

  test.each(['', '\n'])('is null where the kernel gave none: %j', (none) => {
    expect(decode(record('0', [7], ['sh', none]), { mode }).events).toEqual([
      { event: 'drop', pid: 7, comm: 'sh', stack: null },
    ])
  })

  test('is not forged by a name that looks like one', () => {
    const comm = '\n  fake+1\n'

    expect(decode(record('0', [7], [comm, printed]), { mode }).events).toEqual([
      { event: 'drop', pid: 7, comm, stack: frames },
    ])
  })

  test('is null, and not on the wire, in a run that did not ask for it', () => {
    expect(decode(record('0', [7], ['sh']), { mode, leftOut: ['stack'] })).toEqual({
      events: [{ event: 'drop', pid: 7, comm: 'sh', stack: null }],
      faults: [],
    })
  })
})
