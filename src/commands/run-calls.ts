import { type Counted, defineCalls } from '../attach/calls.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { Calls } from './calls-target.ts'
import type { Io } from './io.ts'
import { tellLeftOut } from './left-out.ts'
import { readRequest } from './request.ts'
import type { Parsed } from './target.ts'

/** One function or tracepoint among those that are counted. */
interface Item {
  /** As the kernel and the back-ends name it in what they say. */
  readonly name: string
  readonly counted: Counted
}

/**
 * Counts, with `act`. Where the kernel refuses the whole at the start, those that it refuses by themselves are found, left out and
 * told, and the rest is counted. Throws the first error where none is left, or where it is no single one.
 */
export async function runCalls(
  { counted, pattern, leftOut }: Calls,
  parsed: Parsed,
  io: Io,
  act: (probe: LoadedProbe) => Promise<number>,
): Promise<number> {
  const probeOf = (some: Counted, out: readonly string[]): LoadedProbe => ({
    ...defineCalls(some, pattern),
    leftOut: out,
  })
  const whole = probeOf(counted, leftOut)
  try {
    return await act(whole)
  } catch (error) {
    const { isStartFailure, leavingOnSignals, refusalOf } = await import('./isolate.ts')
    const items = itemsOf(counted)
    if (!isStartFailure(error) || items.length === 1) throw error
    io.stderr('not all of them can be attached: looking for those\n')
    const { findRefused } = await import('./refused.ts')
    const { attachTimeoutMs, plan } = readRequest(whole, parsed)
    const asked = { variant: plan.variant, backend: plan.backend }
    const trial = (some: readonly Item[]) =>
      refusalOf(probeOf(join(some), []), asked, attachTimeoutMs, io.env)
    const refused = await leavingOnSignals(() => findRefused(items, error, trial))
    const left = items.filter((item) => !refused.has(item))
    if (refused.size === 0 || left.length === 0) throw error
    const out = [...refused].map(([{ name }, { message }]) => `${name}: ${message}`)
    tellLeftOut('not counted', out, io)
    return act(probeOf(join(left), [...leftOut, ...out]))
  }
}

const nothing: Counted = { functions: [], tracepoints: [], user: [] }

const itemsOf = ({ functions, tracepoints, user }: Counted): readonly Item[] => [
  ...functions.map((each) => ({ name: each.name, counted: { ...nothing, functions: [each] } })),
  ...tracepoints.map((name) => ({ name, counted: { ...nothing, tracepoints: [name] } })),
  ...user.map((each) => ({ name: each.name, counted: { ...nothing, user: [each] } })),
]

const join = (items: readonly Item[]): Counted => ({
  functions: items.flatMap(({ counted }) => counted.functions),
  tracepoints: items.flatMap(({ counted }) => counted.tracepoints),
  user: items.flatMap(({ counted }) => counted.user),
})
