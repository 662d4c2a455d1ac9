import { requirePlace } from '../plan/place.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { requireCommand } from './find-command.ts'
import { follow } from './follow.ts'
import type { Io } from './io.ts'
import { planOnHost } from './plan-on-host.ts'
import { readRequest } from './request.ts'
import { exitOnSignals } from './signals.ts'
import type { Parsed } from './target.ts'

/** `ebpf-run PROBE …`: returns the exit status. Throws EbpfRunError for everything that keeps it from running. */
export async function runProbe(probe: LoadedProbe, parsed: Parsed, io: Io): Promise<number> {
  const request = readRequest(probe, parsed)
  requirePlace(probe.spec, request.plan.place)
  if (request.command !== null) requireCommand(request.command, io.env)
  const release = exitOnSignals()
  try {
    const [{ facts, plan }, { startSession }] = await Promise.all([
      planOnHost(probe, request.plan, io.env),
      import('../session/session.ts'),
    ])
    return await follow(request, plan, facts, io, startSession, release)
  } finally {
    release()
  }
}
