import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
import { planOnHost } from '../../src/commands/plan-on-host.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'

const root = new URL('../../', import.meta.url).pathname
const { cell }: { cell: (name: string, probe: ProbeSpec, variant: string | null) => object } =
  await import(`${root}scripts/lab/cells.mjs`)
const folder = mkdtempSync(join(tmpdir(), 'er-live-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Why a probe cannot run here, in the plan's own words; null when it can. */
async function whyNot(name: string): Promise<string | null> {
  const probe = await loadProbe(name)
  const request = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }
  try {
    await planOnHost(probe, request, process.env)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe.each(Object.keys(builtin))('%s on this host', (name) => {
  test('sees exactly what its workload does, with an exact account', async (context) => {
    const reason = await whyNot(name)
    if (reason !== null) return context.skip(reason)
    const request = join(folder, `${name}.json`)
    const { spec } = await loadProbe(name)
    const groups = [[cell(name, spec, null)]]
    writeFileSync(
      request,
      JSON.stringify({
        cli: `${root}dist/src/cli.js`,
        out: folder,
        probes: `${root}probes`,
        groups,
      }),
    )

    execFileSync(process.execPath, [`${root}scripts/lab/inside/cells.mjs`, request])

    const row: unknown = JSON.parse(readFileSync(join(folder, `${name}.cell.json`), 'utf8'))
    expect(row, JSON.stringify(row)).toMatchObject({
      lost: 0,
      wrong: 0,
      faults: 0,
      account: 'exact',
    })
    expect(row).not.toHaveProperty('error')
  })
})
