import type { ProbeFile } from '../catalog/write-probe.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { jsonSchema } from '../schema/json-schema.ts'
import { probePage } from './probe-page.ts'

/** The files of a probe's folder. `command` is what made it, for people. */
export function probeFiles(
  { spec, templates }: LoadedProbe,
  command: string,
): Readonly<Record<string, ProbeFile>> {
  const json = (value: object) => ({ text: `${JSON.stringify(value, null, 2)}\n` })
  return {
    'probe.json': json(spec),
    ...Object.fromEntries(
      spec.variants.map(({ name, template }) => [template, { text: templates[name] ?? '' }]),
    ),
    'README.md': { text: probePage(spec, command) },
    'schema.json': json(jsonSchema(spec)),
    'workload.sh': { text: workload(spec.name), isProgram: true },
    'probe.test.mjs': { text: test(spec.name) },
  }
}

const workload = (name: string): string => `#!/bin/sh
# Makes what ${name} shows, a known number of times; probe.test.mjs says how many.
set -eu
true
`

const test = (
  name: string,
): string => `// Runs ${name} while workload.sh runs, and looks at each event. As root: node --test probe.test.mjs
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** How many events workload.sh makes; null while nobody has said. */
const expected = null

const folder = dirname(fileURLToPath(import.meta.url))
const command = process.env.EBPF_RUN ?? 'ebpf-run'

test('${name} sees what its workload does, with an exact account', () => {
  const workload = join(folder, 'workload.sh')
  const args = ['${name}', '-o', 'ndjson', '--max-lost', '0', '--', workload]
  const env = { ...process.env, EBPF_RUN_PROBES: dirname(folder) }
  const run = spawnSync(command, args, { encoding: 'utf8', env, maxBuffer: 2 ** 30 })
  assert.equal(run.status, 0, run.error?.message ?? run.stderr)

  const lines = run.stdout.split('\\n').filter((line) => line !== '')
  const events = lines.map((line) => JSON.parse(line))
  const schema = JSON.parse(readFileSync(join(folder, 'schema.json'), 'utf8'))
  const types = schema.$defs ?? { [schema.properties.event.const]: schema }
  for (const event of events)
    for (const field of types[event.event].required) assert.ok(field in event, field)
  if (expected !== null) assert.equal(events.length, expected)
})
`
