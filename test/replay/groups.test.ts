import { readdirSync, readFileSync, statSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { headOf, openReplay } from '../../src/backends/replay.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import { planSummary, shapesOnAnyHost, type SummaryRequest } from '../../src/plan/grouping.ts'
import type { AnyEvent, Fields, FieldSpec, ProbeSpec } from '../../src/schema/define.ts'
import { groupSchema } from '../../src/schema/json-schema.ts'
import { deviceNumber } from '../../src/schema/kinds.ts'
import { flagsNumber } from '../../src/schema/names.ts'
import { fieldsLeftOut } from '../../src/schema/switches.ts'
import { createAggregates } from '../../src/wire/aggregates.ts'
import { noContainers } from '../../src/wire/containers.ts'
import { createGroupRows } from '../../src/wire/group-rows.ts'
import { type GroupKey, type GroupLayout, mapNames, noText } from '../../src/wire/groups.ts'
import { layoutsOfProbe } from '../../src/wire/layout.ts'

/*
 * Recordings hold events. Here those of real kernels are counted as a program would have counted them, and the rows that come of its
 * maps are held against the schema that `ebpf-run schema PROBE --summary` prints.
 */

const folder = new URL('../../fixtures/recordings/', import.meta.url)
const sizeOf = (name: string) => statSync(new URL(name, folder)).size
/** The largest of each probe. */
const recordings = Object.keys(builtin).flatMap((probe) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ebpfrun') && name.startsWith(`${probe}-`))
    .toSorted((one, other) => sizeOf(other) - sizeOf(one))
    .slice(0, 1),
)
const token = '4b71375a7058326d'

/** Enough for all that an event can hold. */
const mostEvents = 100

interface Recorded {
  readonly spec: ProbeSpec
  readonly variant: string
  readonly switches: readonly string[]
  readonly events: readonly AnyEvent[]
  readonly groupsOf: (request: SummaryRequest) => readonly GroupLayout[]
}

async function recorded(name: string): Promise<Recorded> {
  const file = readFileSync(new URL(name, folder))
  const head = headOf(file)
  const { spec } = await loadProbe(head.probe)
  const { variant, switches = [] } = head
  const events: AnyEvent[] = []
  const replay = openReplay(file, spec)
  replay.play((event) => events.length < mostEvents && events.push(event) > 0)
  const found = spec.variants.find((each) => each.name === variant)
  if (found === undefined) throw new Error(`${name}: no variant ${variant}`)
  const layouts = layoutsOfProbe(replay.probe.events, fieldsLeftOut(spec, found, switches))
  return {
    ...{ spec, variant, switches, events },
    groupsOf: (request) => planSummary(request, layouts).groups,
  }
}

/** The rows of these events, by way of the lines in which a back-end prints its maps. */
function rowsOf(recording: Recorded, request: SummaryRequest): readonly AnyEvent[] {
  const groups = recording.groupsOf(request)
  const aggregates = createAggregates(token, groups)
  const rows = createGroupRows(
    groups,
    { clock: { offsetNs: 1_790_000_000_000_000_000n }, containers: noContainers },
    request.histogram,
  )
  const numbers = new Map<string, string>()
  const numberOf = (key: GroupKey, at: number, event: AnyEvent): string => {
    const value = event[key.name] ?? null
    if (key.as === 'address') return words(key, value)
    if (key.as === 'family') return plain(value ?? 0)
    if (key.as === 'number') return number(key.from.spec, event[key.from.name] ?? null)
    if (value === null) return noText
    const known = numbers.get(`${at} ${plain(value)}`)
    if (known !== undefined) return known
    const id = String(numbers.size + 1)
    numbers.set(`${at} ${plain(value)}`, id)
    const marks = (['escaped', 'cut'] as const).filter((mark) => event[mark]?.includes(key.name))
    rows.text(at, id, {
      ...{ event: `text${at}`, text: value },
      ...Object.fromEntries(marks.map((mark) => [mark, ['text']])),
    })
    return id
  }
  for (const group of groups) {
    const own = groupBy(
      recording.events.filter(({ event }) => event === group.event),
      (event) => group.keys.map((key, at) => numberOf(key, at, event)).join(', '),
    )
    for (const [key, events] of own) {
      const name = (map: string) => (key === '' ? map : `${map}[${key}]`)
      aggregates.line(`${name(mapNames.count(token, group.code))}: ${events.length}`)
      for (const [at, measure] of group.measures.entries()) {
        const values = events.flatMap((event) => {
          const value = event[measure.name] ?? null
          return value === null ? [] : [BigInt(plain(value))]
        })
        if (values.length === 0) continue
        const sum = values.reduce((all, value) => all + value, 0n)
        aggregates.line(`${name(mapNames.sum(token, group.code, at))}: ${sum}`)
        aggregates.line(`${name(mapNames.histogram(token, group.code, at))}: `)
        for (const [bits, { length }] of groupBy(values, (value) => value.toString(2).length)) {
          const [ge, lt] = bits === 1 ? ['0', '2'] : [2n ** BigInt(bits - 1), 2n ** BigInt(bits)]
          aggregates.line(`[${ge}, ${lt})  ${length} |@@@   |`)
        }
      }
    }
  }
  return rows.rows(aggregates.take(), 2_000_000_000n, 1_000_000_000n).map(({ event }) => event)
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

/** Text or number as a text. */
const plain = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)

/** A value as the number that the kernel has in its place. */
function number(spec: FieldSpec, value: unknown): string {
  const { kind, names = {}, flags } = spec
  if (value === null) return String(spec.nullAs ?? 0)
  if (kind === 'result') return String((value as { code: number }).code)
  if (kind === 'device') return String(deviceNumber(plain(value)))
  if (kind === 'load') return String(Math.ceil(Number(value) * 2048))
  if (kind !== 'enum') return BigInt(plain(value)).toString()
  if (flags !== undefined) return String(flagsNumber(plain(value), flags))
  const [, unknown] = /^UNKNOWN_(\d+)$/.exec(plain(value)) ?? []
  const known = Object.entries(names).find(([, name]) => name === value)?.[0]
  return known ?? unknown ?? '0'
}

/** An address as four words of a little-endian machine. */
function words({ spec }: GroupKey, value: unknown): string {
  const text = plain(value ?? spec.nullAs ?? '::')
  const bytes = text.includes('.')
    ? [...Array.from({ length: 10 }, () => 0), 255, 255, ...text.split('.').map(Number)]
    : groupsOfAddress(text).flatMap((group) => [group >> 8, group & 255])
  const view = Buffer.from(bytes)
  return [0, 4, 8, 12].map((at) => view.readUInt32LE(at)).join(', ')
}

function groupsOfAddress(text: string): readonly number[] {
  const [left = [], right = []] = text
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16))
}

const summary = (by: readonly string[], histogram: string | null = null): SummaryRequest => ({
  ...{ by, histogram, intervalMs: null },
})

/** All fields that can be keys, as many at once as there may be, the probe's own grouping, and each histogram. */
function requestsOf({ spec, groupsOf }: Recorded): readonly SummaryRequest[] {
  const fields = Object.entries(
    Object.assign({}, ...Object.values(spec.events).map((event) => event.fields)) as Fields,
  ).flatMap(([name, { kind }]) => (kind === 'texts' ? [] : [name]))
  const canBe = (request: SummaryRequest) => {
    try {
      return groupsOf(request).length > 0
    } catch {
      return false
    }
  }
  const keys = fields.filter((name) => canBe(summary([name])))
  const drawn = fields.filter((name) => canBe(summary([], name)))
  const chunks = Array.from({ length: Math.ceil(keys.length / 7) }, (_, at) =>
    keys.slice(at * 7, at * 7 + 7),
  )
  const { by = [], histogram = null } = spec.aggregate ?? {}
  return [
    ...chunks.map((some) => summary(some)),
    ...drawn.map((name) => summary(keys.slice(0, 1), name)),
    summary(by, histogram),
  ].filter(canBe)
}

const validator = (
  { spec, switches, variant }: Recorded,
  request: SummaryRequest,
  only: string | null = null,
) => {
  const host = { switches, variant: only ?? null, backend: null }
  const shapes = shapesOnAnyHost(spec, request, host)
  expect(spec.variants.map(({ name }) => name)).toContain(variant)
  return new Ajv2020({ strict: true, allErrors: true }).compile(
    groupSchema(spec, shapes, request.histogram),
  )
}

describe.each(recordings)('%s, counted', (name) => {
  test('fits the schema of its groups, however it is grouped', async () => {
    const recording = await recorded(name)

    for (const request of requestsOf(recording)) {
      const groups = recording.groupsOf(request)
      const own = recording.events.filter(({ event }) =>
        groups.some((each) => each.event === event),
      )
      const rows = rowsOf(recording, request)
      const validate = validator(recording, request)
      const exact = validator(recording, request, recording.variant)
      expect(rows.reduce((sum, row) => sum + Number(row['count']), 0)).toBe(own.length)
      const wrong = rows
        .map((row): unknown => JSON.parse(JSON.stringify(row)))
        .flatMap((line) =>
          [validate, exact].flatMap((each) => (each(line) ? [] : [{ line, errors: each.errors }])),
        )
      expect([request, wrong]).toEqual([request, []])
    }
  })
})

describe('the schema of groups', () => {
  const first = async (request: SummaryRequest) => {
    const recording = await recorded('tcplife-tracepoint-debian12.ebpfrun')
    const [row] = rowsOf(recording, request)
    if (row === undefined) throw new Error('no row')
    return { recording, row, validate: validator(recording, request) }
  }

  test('refuses a property that is unknown, and a row that lacks one', async () => {
    const { row, validate } = await first(summary(['raddr', 'comm'], 'sent'))

    expect(validate(row)).toBe(true)
    expect(validate({ ...row, more: 1 })).toBe(false)
    for (const property of Object.keys(row).filter((each) => !['escaped', 'cut'].includes(each))) {
      const { [property]: _, ...less } = row
      expect([property, validate(less)]).toEqual([property, false])
    }
  })

  test('refuses the rows of another grouping, and events', async () => {
    const { recording, validate } = await first(summary(['raddr'], 'sent'))
    const others = [summary([], 'sent'), summary(['raddr']), summary(['raddr'], 'received')]

    for (const request of others) expect(validate(rowsOf(recording, request)[0])).toBe(false)
    expect(validate(recording.events[0])).toBe(false)
  })

  test('says what the buckets hold, as each row does', async () => {
    const { row, validate } = await first(summary([], 'sent'))

    expect(row).toMatchObject({ buckets_field: 'sent', buckets_unit: 'bytes' })
    expect(validate({ ...row, buckets_unit: 'ns' })).toBe(false)
  })

  test('has the unit of each figure, and null where no value may have come', async () => {
    const { spec } = await recorded('tcplife-tracepoint-debian12.ebpfrun')
    const host = { switches: [], variant: null, backend: null }
    const shapes = shapesOnAnyHost(spec, summary(['raddr', 'comm']), host)

    expect(groupSchema(spec, shapes, null)).toMatchObject({
      $id: 'urn:ebpf-run:schema:tcplife:groups:by:raddr,comm',
      properties: {
        sent_sum: { type: ['string', 'null'], description: 'sum of sent (bytes)' },
        comm: { type: ['string', 'null'] },
        raddr: { type: 'string' },
        count: { type: 'integer' },
      },
    })
  })

  test('leaves out what some variants lack of those that can group so, and one variant alone lacks nothing', async () => {
    const { spec } = await recorded('tcplife-tracepoint-debian12.ebpfrun')
    const required = (by: string, variant: string | null) => {
      const host = { switches: [], variant, backend: null }
      const made = groupSchema(spec, shapesOnAnyHost(spec, summary([by]), host), null)
      return {
        isRequired: (made['required'] as readonly string[]).includes('sent_sum'),
        isKnown: 'sent_sum' in (made['properties'] as object),
      }
    }

    expect(required('raddr', null)).toEqual({ isRequired: false, isKnown: true })
    expect(required('raddr', 'addresses')).toEqual({ isRequired: false, isKnown: false })
    // No variant without it can group by this.
    expect(required('comm', null)).toEqual({ isRequired: true, isKnown: true })
    expect(() => required('comm', 'addresses')).toThrow(/cannot be grouped by 'comm'/)
    expect(() => required('raddr', 'nosuch')).toThrow(/no variant 'nosuch'/)
  })
})
