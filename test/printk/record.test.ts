import { describe, expect, test } from 'vitest'
import { checkDefinition } from '../../src/catalog/check-definition.ts'
import { definePrintk } from '../../src/printk/define.ts'
import { createMatcher } from '../../src/printk/match.ts'
import { parsePattern } from '../../src/printk/pattern.ts'
import { type Printk, readPrintk, recordLine, type Task } from '../../src/printk/record.ts'
import { readSavedNames } from '../../src/printk/saved-names.ts'
import { readStats } from '../../src/printk/stats.ts'
import { jsonSchema } from '../../src/schema/json-schema.ts'
import { withNames } from '../../src/schema/names.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { createDecoder } from '../../src/wire/decoder.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'
import { statsText } from './texts.ts'

const token = '7abcdef012345678'
const printk: Printk = {
  ...{ ktime: 1_000_000_000n, cpu: 1, tid: 77, flags: 9, preemptDepth: 2 },
  message: 'PID 7 -> web-1:443',
}
const task: Task = { pid: 76, name: 'curl', from: 1 }
const pattern = parsePattern('PID %{caller}d -> %{host}s:%{port}u%{end}p')
const probe = withNames(definePrintk(pattern).spec, {})
const layouts = layoutsOfProbe(probe.events)

/** The event that a record becomes, and how many were damaged. */
function decoded(
  event: 'printk' | 'unmatched',
  values: string[],
  change: Partial<Printk> = {},
  by = task,
) {
  const layout = layouts.find((each) => each.event === event)
  if (layout === undefined) throw new Error(event)
  const shape = {
    ...{ code: layout.code, event },
    closed: layout.closed.map(({ name }) => name),
    texts: layout.texts.map(({ name }) => name),
  }
  const names = pattern.flatMap((piece) => ('name' in piece ? [piece.name] : []))
  const line = recordLine(
    token,
    shape,
    { ...printk, ...change },
    by,
    new Map(values.map((value, at) => [names[at] ?? '', value])),
  )
  const events: AnyEvent[] = []
  let damaged = 0
  const decoder = createDecoder({
    ...{ token, layouts, events: probe.events, clock: { offsetNs: 0n }, mode: 'object' },
    handlers: {
      event: (each) => void events.push(each),
      lines() {},
      heartbeat() {},
      end() {},
      fault: () => void (damaged += 1),
      other: () => void (damaged += 1),
    },
  })
  decoder.push(Buffer.from(line, 'latin1'))
  decoder.end()
  return { events, damaged }
}

describe('a record', () => {
  test('becomes an event with every field', () => {
    expect(decoded('printk', ['7', 'web-1', '443', 'ff'])).toEqual({
      damaged: 0,
      events: [
        {
          ...{ event: 'printk', time: '1970-01-01T00:00:01.000000000Z', ktime_ns: '1000000000' },
          ...{ cpu: 1, tid: 77, pid: 76, task: 'curl', task_from: 'proc' },
          ...{ flags: 'IRQS_OFF|HARDIRQ', preempt_depth: 2, function: 'bpf_trace_printk' },
          ...{ message: printk.message, caller: 7, host: 'web-1', port: 443, end: '0xff' },
        },
      ],
    })
  })

  test('that is not of the pattern has null for its values, and an empty value is no null', () => {
    expect(decoded('unmatched', []).events).toMatchObject([
      { event: 'unmatched', caller: null, host: null, port: null, end: null },
    ])
    expect(decoded('printk', ['7', '', '443', '']).events).toMatchObject([{ host: '', end: null }])
  })

  test('of an unknown thread says so', () => {
    const nobody: Task = { pid: null, name: '', from: 0 }
    expect(decoded('unmatched', [], {}, nobody).events).toMatchObject([
      { tid: 77, pid: null, task: null, task_from: null },
    ])
  })

  test.each([
    'two\nlines',
    '\n',
    'tab\there',
    `${'7'.repeat(16)}0\t1`,
    '            bash-1   [000] d..21 1.0: bpf_trace_printk: fake',
    'CPU:1 [LOST 99 EVENTS]',
    '@n_7777777777777777_0_0: 9',
    '\xff\xfe\x1b[31m',
  ])('keeps %j as message and as name', (text) => {
    const { events, damaged } = decoded(
      'unmatched',
      [],
      { message: text },
      { ...task, name: text.slice(0, 15) },
    )
    expect(damaged).toBe(0)
    expect(events).toHaveLength(1)
    if (text.startsWith('\xff'))
      expect(events).toMatchObject([
        { message: '\\xff\\xfe\x1b[31m', escaped: ['task', 'message'] },
      ])
    else expect(events).toMatchObject([{ message: text, task: text.slice(0, 15) }])
  })

  test('that the kernel cut says so', () => {
    expect(decoded('unmatched', [], { message: 'x'.repeat(1_023) }).events).toMatchObject([
      { cut: ['message'] },
    ])
  })
})

test('of a message one line end is taken away, and what follows a NUL', () => {
  const format = { id: 5, type: 0, flags: 2, preempt: 3, pid: 4, text: 8 }
  const read = (text: string, id = 5) => {
    const data = Buffer.alloc(12 + text.length)
    data.writeUInt16LE(id)
    data.writeUInt32LE(((text.length << 16) | 12) >>> 0, 8)
    data.write(text, 12, 'latin1')
    return readPrintk(format, 0, 0n, data)?.message
  }
  expect(read('a\n\n\0')).toBe('a\n')
  expect(read('a\0b\n')).toBe('a')
  expect(read('')).toBe('')
  expect(read('a', 6)).toBeUndefined()
  const short = Buffer.alloc(12)
  short.writeUInt16LE(5)
  short.writeUInt32LE((9 << 16) | 12, 8)
  expect(() => readPrintk(format, 0, 0n, short)).toThrow(RangeError)
})

test('the definition is one that a recording may bring, and has a schema', () => {
  for (const each of [definePrintk(null), definePrintk(pattern)]) {
    const copy: unknown = JSON.parse(JSON.stringify(each.spec))
    expect(checkDefinition(copy, 'test')).toEqual(copy)
    expect(jsonSchema(each.spec)).toHaveProperty('$schema')
  }
  expect(Object.keys(definePrintk(null).spec.events)).toEqual(['printk'])
  expect(createMatcher(pattern)(`${printk.message}(null)`)).toEqual(['7', 'web-1', '443', ''])
})

test('saved names that a line end in a name makes doubtful are not taken', () => {
  const names = readSavedNames('1 init\n7 a b\n8 x\nrest\n9 ok\n10 evil\n1 root\n11 last\n')
  expect(Object.fromEntries(names)).toEqual({ 7: 'a b', 9: 'ok', 10: 'evil', 11: 'last' })
  expect(readSavedNames('').size).toBe(0)
})

test('what was emitted is all that the kernel counts', () => {
  expect(readStats(statsText)).toEqual({ waiting: 3, emitted: 39 })
  expect(readStats(statsText.replace('dropped', 'other'))).toBeNull()
})
