import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it, vi } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import { defaultShapes } from '../../src/plan/grouping.ts'
import { groupSchema, jsonSchema } from '../../src/schema/json-schema.ts'
import { cannotRun, linesOf, runCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 120_000 })

async function schemaOf(...words: readonly string[]): Promise<Record<string, object>> {
  const { code, stdout, stderr } = await runCli(['schema', ...words])
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout) as Record<string, object>
}

describe('ebpf-run schema', () => {
  it('is of what the command prints by default: groups of a probe that counts in the kernel, else events', async () => {
    expect(await schemaOf('tcprtt')).toHaveProperty('properties.buckets')
    expect(await schemaOf('tcprtt', '--events')).toHaveProperty('properties.srtt_ns')
    expect(await schemaOf('tcpconnect')).toHaveProperty('properties.duration_ns')
    const counted = await schemaOf('tcpconnect', '--summary', '--by', 'raddr')
    expect(Object.keys(counted['properties'] ?? {})).toEqual([
      ...['event', 'time', 'ktime_ns', 'interval_ns', 'raddr', 'count', 'duration_sum_ns'],
      ...['duration_avg_ns', 'duration_p50_ns', 'duration_p90_ns', 'duration_p99_ns'],
    ])
  })

  it('has signed figures of a histogram whose range has negative values', async () => {
    const words = ['tcpsynbl', '--hist', 'backlog', '--linear=-20..20/10']

    expect(await schemaOf(...words)).toMatchObject({
      $id: 'urn:ebpf-run:schema:tcpsynbl:groups:hist:backlog:linear:-20..20/10',
      properties: {
        backlog_p50: { pattern: '^-?[0-9]{1,19}$' },
        buckets_field: { const: 'backlog' },
      },
    })
  })

  it.each([
    [['tcpconnect', '--by', 'raddr'], '--by goes with --summary'],
    [['tcprtt', '--events', '--summary'], '--events excludes --summary'],
    [['tcpconnect', '--summary', '--by', 'nosuch'], "cannot be grouped by 'nosuch'"],
    [['tcpconnect', '--hist', 'rport'], "'rport' is no quantity"],
    [['tcpconnect', '--summary', '--variant', 'nosuch'], "no variant 'nosuch'"],
  ])('refuses %j', async (words, said) => {
    const { code, stderr } = await runCli(['schema', ...words])

    expect(code).toBe(2)
    expect(stderr).toContain(said)
  })

  it.each(Object.keys(builtin))(
    'of %s is packed, its events apart where groups are the default',
    async (name) => {
      const { spec } = await loadProbe(name)
      const read = (file: string): object =>
        JSON.parse(
          readFileSync(new URL(`../../dist/schemas/${file}.json`, import.meta.url), 'utf8'),
        )
      const shapes = defaultShapes(spec)
      const events = jsonSchema(spec)

      if (shapes === null) return expect(read(name)).toEqual(events)
      expect(read(`${name}-events`)).toEqual(events)
      expect(read(name)).toEqual(groupSchema(spec, shapes, spec.aggregate?.histogram ?? null))
      expect(read(name)).toHaveProperty('properties.count')
    },
  )
})

it('ebpf-run types declares groups too', async () => {
  const { stdout } = await runCli(['types', 'tcprtt', '--hist', 'srtt_ns', '--by', 'raddr'])

  expect(stdout).toContain('made by `ebpf-run types tcprtt --hist srtt_ns --by raddr`')
  expect(stdout).toContain('readonly buckets_field: "srtt_ns"')
  expect(stdout).toContain('export type TcprttGroup = ')
})

describe.skipIf(cannotRun)(`groups of this host${cannotRun ?? ''}`, () => {
  it.each([
    ['execsnoop', ['--summary', '--by', 'filename,uid']],
    ['runqlat', []],
    ['runqlat', ['--linear', '0..1ms/100us', '--by', 'comm']],
    ['syscount', []],
  ])('of %s %j fit their schema', async (probe, options) => {
    const schema = await schemaOf(probe, ...options)
    const validate = new Ajv2020({ strict: true }).compile(schema)
    const { stdout, stderr } = await runCli([
      ...[probe, ...options, '-o', 'ndjson', '--', 'sh', '-c', 'cat /etc/hostname; /bin/true'],
    ])
    const rows = linesOf(stdout)

    expect(rows.length, stderr).toBeGreaterThan(0)
    for (const row of rows) expect([row, validate(row), validate.errors]).toEqual([row, true, null])
  })
})
