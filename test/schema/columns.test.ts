import { readdirSync, existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EbpfRunError } from '../../src/errors.ts'
import { selectFields, tableColumns, unionFields } from '../../src/schema/columns.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { lineWidth } from '../../src/sinks/layout.ts'
import { errorOf } from '../error-of.ts'
import { connects, execs, sockets } from '../sinks/helpers.ts'

const folder = new URL('../../probes/', import.meta.url)
const probes = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/probe.ts`, folder)))

function headings(probe: ProbeSpec, fields: readonly string[] | null = null, utc = false) {
  return tableColumns(probe, fields, utc).map(({ heading }) => heading)
}

function refusal(fields: readonly string[]): unknown {
  try {
    return selectFields(connects, fields)
  } catch (error) {
    return error instanceof EbpfRunError ? error.toJSON() : error
  }
}

describe('the columns of a table', () => {
  test("are the probe's default ones", () => {
    expect(headings(connects)).toEqual(['TIME', 'PID', 'COMM', 'RADDR', 'RPORT', 'RESULT'])
  })

  test('are the named ones, each once', () => {
    expect(headings(connects, ['rport', 'cpu', 'rport'])).toEqual(['RPORT', 'CPU'])
  })

  test('say when times are UTC', () => {
    expect(headings(connects, ['time'], true)).toEqual(['TIME(UTC)'])
  })

  test('head a duration with the unit they show', () => {
    expect(headings(connects, ['duration_ns'])).toEqual(['DURATION_MS'])
  })

  test('are never narrower than their heading', () => {
    const [column] = tableColumns(connects, ['duration_ns'], false)

    expect(column?.width).toBe('DURATION_MS'.length)
  })

  test('are no wider than a text can be', () => {
    const [column] = tableColumns(connects, ['comm'], false)

    expect(column).toMatchObject({ width: 15, min: 8, max: 15 })
  })

  test('begin with the event type where there are several', () => {
    expect(headings(sockets)).toEqual(['EVENT', 'PID', 'COMM', 'WHY'])
  })
})

describe('choosing fields', () => {
  test('keeps null, the default', () => {
    expect(selectFields(connects, null)).toBeNull()
  })

  test('refuses an unknown field with what there is and what was meant', () => {
    expect(refusal(['pid', 'rprt'])).toMatchInlineSnapshot(`
      {
        "error": {
          "code": "BAD_VALUE",
          "detail": undefined,
          "exit_code": 2,
          "expected": "some of event, time, ktime_ns, pid, tid, cpu, uid, comm, cgroup, container, raddr, rport, result, duration_ns",
          "found": "'rprt'",
          "message": "connects has no field 'rprt'",
          "remedy": "did you mean --fields rport?",
        },
      }
    `)
  })

  test('refuses an empty list', () => {
    expect(refusal([])).toMatchObject({ error: { message: '--fields names no field' } })
  })

  test('points to describe when nothing is near', () => {
    expect(refusal(['zzzzzzzz'])).toMatchObject({ error: { remedy: 'ebpf-run describe connects' } })
  })

  test.each([
    ['script', 'ebpf-run script FILE.bt --help'],
    ['trace', 'ebpf-run trace ATTACH-POINT --help'],
    ['funccount', 'ebpf-run funccount PATTERN --help'],
  ])('of a %s points to its help: there is no probe to describe', (name, remedy) => {
    expect(errorOf(() => selectFields({ ...connects, name }, ['zzzzzzzz']))).toMatchObject({
      remedy,
    })
  })

  test('takes the name of no built-in property for a field', () => {
    expect(refusal(['constructor'])).toMatchObject({ error: { code: 'BAD_VALUE' } })
  })
})

test('two event types cannot give one field two kinds', () => {
  const clash: ProbeSpec = {
    ...execs,
    events: {
      a: { doc: 'a', fields: { x: { kind: 'u8', doc: 'x' } }, table: [] },
      b: { doc: 'b', fields: { x: { kind: 'text', doc: 'x' } }, table: [] },
    },
  }

  expect(() => unionFields(clash)).toThrow(EbpfRunError)
})

describe('the default table of', () => {
  test.each(probes)('%s stays under 80 columns', async (name) => {
    const { default: probe }: { default: ProbeSpec } = await import(
      new URL(`${name}/probe.ts`, folder).href
    )

    expect(lineWidth(tableColumns(probe, null, true))).toBeLessThan(80)
  })
})
