import { describe, expect, test } from 'vitest'
import { EbpfRunError } from '../../src/errors.ts'
import { sinks } from '../../src/sinks/index.ts'
import { connect, connects, exec, execs, pipe, terminal, written } from './helpers.ts'

const defaults = { probe: connects, fields: null, header: true, utc: true }

describe('the ndjson sink', () => {
  test('writes one object a line', () => {
    const text = written('ndjson', pipe(), [connect, connect], { probe: connects })

    expect(text).toBe(`${JSON.stringify(connect)}\n${JSON.stringify(connect)}\n`)
  })

  test('writes nothing for no events', () => {
    expect(written('ndjson', pipe(), [], { probe: connects })).toBe('')
  })

  test('passes the bytes of ready-made lines through', () => {
    const out = pipe()
    const line = `${JSON.stringify({ ...connect, comm: 'fü古' })}\n`
    const sink = sinks.ndjson(out, defaults)

    sink.lines(Buffer.from(line))

    expect(sink.takesLines).toBe(true)
    expect(out.text()).toBe(line)
  })

  test('wants events instead of lines when fields are chosen', () => {
    expect(sinks.ndjson(pipe(), { ...defaults, fields: ['pid'] }).takesLines).toBe(false)
  })

  test('writes the chosen fields and their marks only', () => {
    const event = { ...exec, cut: ['comm', 'argv[3]'], escaped: ['comm'] }

    const text = written('ndjson', pipe(), [event], { probe: execs, fields: ['argv', 'pid'] })

    expect(text).toMatchInlineSnapshot(`
      "{"event":"exec","argv":["ls","-l","/var/lib/docker/overlay2/l/7QZ","a b"],"pid":4711,"cut":["argv[3]"]}
      "
    `)
  })

  test('refuses a field that the probe does not have', () => {
    expect(() => sinks.ndjson(pipe(), { ...defaults, fields: ['rprt'] })).toThrow(EbpfRunError)
  })

  test('writes nothing raw to a terminal that it could act on, and the same values', () => {
    const event = { ...connect, comm: 'a\x9b\u202eb' }
    const out = terminal(80)
    const sink = sinks.ndjson(out, defaults)

    sink.event(event)
    sink.lines(Buffer.from(`${JSON.stringify(event)}\n`))

    expect(out.text()).not.toMatch(/[\x80-\x9f\u202e]/)
    expect(
      out
        .text()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([event, event])
  })
})
