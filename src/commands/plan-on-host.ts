import type { HostFacts } from '../host/facts.ts'
import { withLibraries } from '../plan/libraries.ts'
import {
  asksForBcc,
  type LoadedProbe,
  makePlan,
  type Plan,
  type PlanRequest,
} from '../plan/plan.ts'
import { questionsOf } from '../plan/questions.ts'

/** The plan for a request on this host, and the facts that it rests on. bcc is looked for only where nothing else will do. */
export async function planOnHost(
  asked: LoadedProbe,
  request: PlanRequest,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly plan: Plan; readonly facts: HostFacts }> {
  const probe = withLibraries(asked, request.libraries ?? {})
  const first = probe.facts ?? (await factsOf(probe, request, env))
  const facts = asksForBcc(probe, request, first) ? await withBcc(first, env) : first
  return { facts, plan: makePlan(probe, request, facts) }
}

async function factsOf(
  probe: LoadedProbe,
  { filters }: PlanRequest,
  env: NodeJS.ProcessEnv,
): Promise<HostFacts> {
  const { gatherFacts } = await import('../host/gather.ts')
  return gatherFacts(questionsOf(probe, filters), { env })
}

/** The facts with what bcc and the kernel's headers are here. */
export async function withBcc(facts: HostFacts, env: NodeJS.ProcessEnv): Promise<HostFacts> {
  const { findBcc, findHeaders } = await import('../host/bcc.ts')
  return { ...facts, bcc: await findBcc(env), headers: findHeaders(facts.kernel.release) }
}
