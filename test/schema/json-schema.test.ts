import { Ajv2020 } from 'ajv/dist/2020.js'
import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { jsonSchema } from '../../src/schema/json-schema.ts'
import { madeOf } from '../script/made.ts'
import { connect, connects, exec, execs, sockets } from '../sinks/helpers.ts'

const folder = new URL('../../probes/', import.meta.url)
const probes = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/probe.ts`, folder)))

function isValid(probe: ProbeSpec, event: unknown): boolean {
  return new Ajv2020({ strict: true }).compile(jsonSchema(probe))(event) === true
}

describe('the JSON Schema', () => {
  test('takes an event as it is decoded', () => {
    expect(isValid(connects, connect)).toBe(true)
    expect(isValid(execs, { ...exec, cut: ['argv', 'comm'], escaped: ['argv[3]'] })).toBe(true)
  })

  const refused: readonly (readonly [string, Record<string, unknown>])[] = [
    ['a field it does not know', { extra: 1 }],
    ['a 64-bit value as a number', { cgroup: 5 }],
    ['null where no variant gives null', { pid: null }],
    ['a port out of range', { rport: 65_536 }],
    ['a time without nanoseconds', { time: '2026-11-21T03:30:00Z' }],
    ['another event type', { event: 'exec' }],
    ['a mark on a field that is no text', { cut: ['pid'] }],
    ['an index on a text that is no list', { cut: ['comm[0]'] }],
  ]
  test.each(refused)('refuses %s', (_, change) => {
    expect(isValid(connects, { ...connect, ...change })).toBe(false)
  })

  test('refuses an event that lacks a field', () => {
    const { pid: _, ...rest } = connect

    expect(isValid(connects, rest)).toBe(false)
  })

  test('takes null where a field can be null', () => {
    expect(isValid(connects, { ...connect, duration_ns: null })).toBe(true)
  })

  test('takes null where a variant cannot tell, and says why', () => {
    const [variant] = connects.variants
    if (variant === undefined) throw new Error('the probe has a variant')
    const probe = {
      ...connects,
      variants: [{ ...variant, cannotTell: { rport: 'it is not there yet' } }],
    }

    expect(isValid(probe, { ...connect, rport: null })).toBe(true)
    expect(jsonSchema(probe)).toMatchObject({
      properties: {
        rport: { description: 'remote port; null in variant kprobe: it is not there yet' },
      },
    })
  })

  test("takes a script's maps, and marks on what bpftrace printed", () => {
    const { spec } = madeOf('kprobe:f { @a[comm] = count(); print(comm); }').probe
    const always = { time: '2026-11-21T03:30:00.000000000Z', ktime_ns: '1', cpu: 0 }
    const entries = [
      { key: null, value: 5 },
      { key: ['a', -1, ['f+1']], count: 1, average: -2, total: '18446744073709551615' },
      { key: ['a, b'], value: ['f+1'], unsplit: true },
      { key: [1], buckets: [{ ge: null, lt: 0, count: 1 }] },
      { key: [1], buckets: [{ ge: 100, lt: null, count: 1 }] },
    ]
    const map = { event: 'map', ...always, map: '@a', entries, escaped: ['entries'] }

    expect(isValid(spec, map)).toBe(true)
    expect(isValid(spec, { ...map, entries: null })).toBe(true)
    expect(isValid(spec, { ...map, entries: [{ value: 5 }] })).toBe(false)
    expect(isValid(spec, { ...map, escaped: ['map'] })).toBe(false)
    const print = { event: 'print', ...always, output: String.raw`\xff`, escaped: ['output'] }
    expect(isValid(spec, print)).toBe(true)
  })

  test('tells event types apart by `event`', () => {
    expect(isValid(sockets, { event: 'open', pid: 1, comm: 'nc' })).toBe(true)
    expect(isValid(sockets, { event: 'close', pid: 1, comm: 'nc' })).toBe(false)
  })

  test('takes the names of an enum and unknown numbers, nothing else', () => {
    const why = (name: string) => isValid(sockets, { event: 'close', pid: 1, why: name })

    expect([why('peer (RST)'), why('UNKNOWN_7'), why('peer')]).toEqual([true, true, false])
  })

  test('is this for two small event types', () => {
    expect(jsonSchema(sockets)).toMatchInlineSnapshot(`
      {
        "$defs": {
          "close": {
            "additionalProperties": false,
            "description": "a socket closed",
            "properties": {
              "event": {
                "const": "close",
                "description": "event type",
              },
              "pid": {
                "description": "process id (thread group)",
                "maximum": 4294967295,
                "minimum": 0,
                "type": "integer",
              },
              "why": {
                "description": "who closed it",
                "examples": [
                  "local",
                  "peer (RST)",
                ],
                "pattern": "^(local|peer \\(RST\\)|UNKNOWN_[0-9]+)$",
                "type": "string",
              },
            },
            "required": [
              "event",
              "pid",
              "why",
            ],
            "type": "object",
          },
          "open": {
            "additionalProperties": false,
            "description": "a socket opened",
            "properties": {
              "comm": {
                "description": "the thread's command name",
                "type": "string",
              },
              "cut": {
                "description": "texts and lists that were cut at the kernel's or our limit",
                "items": {
                  "pattern": "^(comm)$",
                  "type": "string",
                },
                "type": "array",
                "uniqueItems": true,
              },
              "escaped": {
                "description": "texts with bytes outside UTF-8, shown as \\xNN (and their backslashes as \\x5c)",
                "items": {
                  "pattern": "^(comm)$",
                  "type": "string",
                },
                "type": "array",
                "uniqueItems": true,
              },
              "event": {
                "const": "open",
                "description": "event type",
              },
              "pid": {
                "description": "process id (thread group)",
                "maximum": 4294967295,
                "minimum": 0,
                "type": "integer",
              },
            },
            "required": [
              "event",
              "pid",
              "comm",
            ],
            "type": "object",
          },
        },
        "$id": "urn:ebpf-run:schema:sockets",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "sockets that open and close",
        "oneOf": [
          {
            "$ref": "#/$defs/open",
          },
          {
            "$ref": "#/$defs/close",
          },
        ],
        "title": "sockets",
      }
    `)
  })
})

describe('the JSON Schema of the probe', () => {
  test.each(probes)('%s compiles in strict mode', async (name) => {
    const { default: probe }: { default: ProbeSpec } = await import(
      new URL(`${name}/probe.ts`, folder).href
    )

    expect(() => new Ajv2020({ strict: true }).compile(jsonSchema(probe))).not.toThrow()
  })
})
