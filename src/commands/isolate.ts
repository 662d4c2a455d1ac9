import { EbpfRunError } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { PlanRequest } from '../plan/plan-request.ts'
import { startSession } from '../session/session.ts'
import { filesFolder } from './follow.ts'
import { planOnHost } from './plan-on-host.ts'
import { exitOnSignals } from './signals.ts'
import { nothingAsked, type Part, type Parts } from './trace-target.ts'

/** How a run ends that never began, because of its program or one of its attach points. */
const startFailures: ReadonlySet<string> = new Set(['REJECTED', 'ATTACH_FAILED', 'NOT_ATTACHED'])

export function isStartFailure(error: unknown): error is EbpfRunError {
  return error instanceof EbpfRunError && startFailures.has(error.code)
}

/** Attaches each part by itself, for a moment, and leaves out those that the kernel refuses. */
export async function leaveOutRefused(
  { parts, leftOut, facts }: Parts,
  attachTimeoutMs: number,
  env: NodeJS.ProcessEnv,
): Promise<Parts> {
  const known = facts === undefined ? {} : { facts }
  return leavingOnSignals(async () => {
    const good: Part[] = []
    const out = [...leftOut]
    for (const part of parts) {
      const refused = await refusalOf({ ...part.probe, ...known }, {}, attachTimeoutMs, env)
      if (refused === null) good.push(part)
      else out.push(`${part.text}: ${refused.message}`)
    }
    return { parts: good, leftOut: out, ...known }
  })
}

/** Does what no session of a run is there to end: a signal kills what was started, and leaves. */
export async function leavingOnSignals<T>(action: () => Promise<T>): Promise<T> {
  const release = exitOnSignals()
  try {
    return await action()
  } finally {
    release()
  }
}

/** Attaches a probe for a moment, without filters: null where that works, else why not. */
export async function refusalOf(
  probe: LoadedProbe,
  asked: Partial<Pick<PlanRequest, 'variant' | 'backend'>>,
  attachTimeoutMs: number,
  env: NodeJS.ProcessEnv,
): Promise<EbpfRunError | null> {
  const { plan, facts } = await planOnHost(probe, { ...nothingAsked, ...asked }, env)
  const session = startSession({
    ...{ plan, facts, filesFolder, attachTimeoutMs, drainMs: 0 },
    consumer: { event() {} },
    watcher: {
      state(state) {
        if (state === 'attached') session.stop('stop')
      },
    },
    durationMs: null,
    count: null,
  })
  try {
    await session.ended
    return null
  } catch (error) {
    if (isStartFailure(error)) return error
    throw error
  }
}
