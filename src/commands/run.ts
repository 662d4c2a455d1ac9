import type { HostFacts } from '../host/facts.ts'
import { type LoadedProbe, makePlan } from '../plan/plan.ts'
import { questionsOf } from '../plan/questions.ts'
import { follow } from './follow.ts'
import type { Io } from './io.ts'
import { readRequest } from './request.ts'
import { exitOnSignals } from './signals.ts'
import type { Parsed } from './target.ts'

/** `ebpf-run PROBE …`: returns the exit status. Throws EbpfRunError for everything that keeps it from running. */
export async function runProbe(probe: LoadedProbe, parsed: Parsed, io: Io): Promise<number> {
  const request = readRequest(probe, parsed)
  const release = exitOnSignals()
  try {
    const [facts, { startSession }] = await Promise.all([
      gather(probe, io.env),
      import('../session/session.ts'),
    ])
    const plan = makePlan(probe, request.plan, facts)
    return await follow(request, plan, facts, io, startSession, release)
  } finally {
    release()
  }
}

/** The facts that a plan for this probe needs. */
export async function gather(probe: LoadedProbe, env: NodeJS.ProcessEnv): Promise<HostFacts> {
  const { gatherFacts } = await import('../host/gather.ts')
  return gatherFacts(questionsOf(probe), { env })
}
