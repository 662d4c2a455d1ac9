import { type MadeScript, defineScript, type ScriptRequest } from '../../src/script/define.ts'
import type { HostFacts } from '../../src/host/facts.ts'
import { makePlan } from '../../src/plan/plan.ts'
import type { EventSpec } from '../../src/schema/define.ts'
import { factsFor } from '../plan/handmade-facts.ts'

type Differences = Partial<Omit<ScriptRequest, 'source'>>

/** The definition that a script makes. */
export function madeOf(source: string, differences: Differences = {}): MadeScript {
  return defineScript({
    name: 'own.bt',
    source,
    args: [],
    fields: new Map(),
    unsafe: false,
    ...differences,
  })
}

export function eventsOf(
  source: string,
  differences: Differences = {},
): Readonly<Record<string, EventSpec>> {
  return madeOf(source, differences).probe.spec.events
}

/** Names and kinds of what a printf in kprobe:f shows, without what every event has. */
export function fieldsOf(source: string, event = 'f'): Readonly<Record<string, string>> {
  const { fields = {} } = eventsOf(source)[event] ?? {}
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => name !== 'time' && name !== 'ktime_ns')
      .map(([name, { kind }]) => [name, kind]),
  )
}

/** Every script asks a host for the same. */
const facts = new Map<string, HostFacts>()

export const nothingAsked = {
  filters: [],
  params: {},
  variant: null,
  backend: null,
  bufferBytes: null,
} as const

/** The program that a bpftrace of this version gets. */
export function renderedBy({ probe }: MadeScript, version: string): string {
  const known = facts.get(version) ?? factsFor(probe, version)
  facts.set(version, known)
  const plan = makePlan(probe, nothingAsked, known)
  return plan.render(plan.placeholders)
}

export function programOf(source: string, differences: Differences = {}, version = '0.23.0') {
  return renderedBy(madeOf(source, differences), version)
}
