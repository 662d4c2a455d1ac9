import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { planOnHost } from '../../src/commands/plan-on-host.ts'

const root = new URL('../../', import.meta.url).pathname

/** Why a variant cannot run here, in the plan's own words; null when it can. */
async function whyNot(name: string, variant: string): Promise<string | null> {
  const request = { filters: [], params: {}, variant, backend: null, bufferBytes: null }
  try {
    await planOnHost(await loadProbe(name), request, process.env)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

interface Attached {
  readonly xdp: boolean
  readonly ingress: string
  readonly egress: string
  readonly clsact: boolean
  readonly sockets: number
  readonly links: readonly string[]
}

interface Outcome {
  readonly before: Attached
  readonly during: Attached
  readonly after: Attached
  readonly left: number
  readonly packets: { readonly sent: number; readonly received: number }
}

const ways = [
  { probe: 'xdpcount', variant: 'xdp', beside: [] },
  { probe: 'xdpcount', variant: 'generic', beside: [] },
  { probe: 'tccount', variant: 'tcx', beside: [] },
  { probe: 'tccount', variant: 'clsact', beside: [] },
  { probe: 'tccount', variant: 'clsact', beside: ['beside'] },
  { probe: 'sockfilter', variant: 'socket', beside: [] },
]
const cases = ways.flatMap((way) =>
  (['run', 'driver', 'group', 'both'] as const).map((victim) => ({ ...way, victim })),
)

describe('SIGKILL', () => {
  test.for(cases)(
    'of the $victim of $probe by $variant $beside leaves nothing attached, and no packet is lost',
    { timeout: 120_000 },
    async ({ probe, variant, victim, beside }, context) => {
      const reason = await whyNot(probe, variant)
      if (reason !== null) return context.skip(reason)
      const words = ['scripts/lab/inside/killed.mjs', 'dist/src/cli.js', probe, variant, victim]

      const output = execFileSync(process.execPath, [...words, ...beside], {
        cwd: root,
        encoding: 'utf8',
      })

      const { before, during, after, left, packets } = JSON.parse(output) as Outcome
      expect(during).not.toEqual(before)
      expect(after).toEqual(before)
      expect(after.links).toEqual([])
      expect(left).toBe(0)
      expect(packets.sent).toBeGreaterThan(100)
      expect(packets.received).toBe(packets.sent)
    },
  )
})
