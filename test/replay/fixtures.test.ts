import { readdirSync, readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { headOf, openReplay } from '../../src/backends/replay.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { jsonSchema } from '../../src/schema/json-schema.ts'

const folder = new URL('../../fixtures/recordings/', import.meta.url)
const recordings = readdirSync(folder).filter((name) => name.endsWith('.ebpfrun'))

test('there are recordings of real kernels for every probe', () => {
  const probes = new Set(recordings.map((name) => name.split('-')[0]))

  expect(probes).toEqual(new Set(Object.keys(builtin)))
})

describe.each(recordings)('%s', (name) => {
  const file = readFileSync(new URL(name, folder))

  test('decodes to the events that the run delivered, with an exact account', async () => {
    const { spec } = await loadProbe(headOf(file).probe)
    const expected = readFileSync(new URL(name.replace('.ebpfrun', '.ndjson'), folder), 'utf8')
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    const events: AnyEvent[] = []

    const replay = openReplay(file, spec)
    const { account } = replay.play((event) => events.push(event) > 0)

    expect(events).toEqual(expected)
    expect(account.account).toBe('exact')
    expect(Object.values(account.events).map(({ lost, faults }) => [lost, faults])).toEqual(
      // Without the event types that were switched off.
      Object.keys(replay.probe.events).map(() => [0, 0]),
    )
  })

  test("fits the probe's schema", async () => {
    const { spec } = await loadProbe(headOf(file).probe)
    const validate = new Ajv2020({ strict: true }).compile(jsonSchema(spec))
    const events: AnyEvent[] = []

    openReplay(file, spec).play((event) => events.push(event) > 0)

    for (const event of events) {
      expect(validate(JSON.parse(JSON.stringify(event))), JSON.stringify(validate.errors)).toBe(
        true,
      )
    }
  })
})
