import { statSync } from 'node:fs'
import { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import { withLibraries } from '../plan/libraries.ts'
import { asksForBcc, type LoadedProbe, makePlan, type Plan } from '../plan/plan.ts'
import type { PlanRequest } from '../plan/plan-request.ts'
import { questionsOf } from '../plan/questions.ts'

/** The plan for a request on this host, and the facts that it rests on. bcc is looked for only where nothing else will do. Throws BAD_VALUE too, for a library that is no file. */
export async function planOnHost(
  asked: LoadedProbe,
  request: PlanRequest,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly plan: Plan; readonly facts: HostFacts }> {
  for (const [name, path] of Object.entries(request.libraries ?? {})) requireFile(name, path)
  const probe = withLibraries(asked, request.libraries ?? {})
  const first = probe.facts ?? (await factsOf(probe, request, env))
  const facts = asksForBcc(probe, request, first) ? await withBcc(first, env) : first
  return { facts, plan: makePlan(probe, request, facts) }
}

function requireFile(name: string, path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--${name}: there is no file ${path}`,
    found: path,
    remedy: `ldd PROGRAM shows which ${name} it has; in a container: --${name} /proc/PID/root/lib/…`,
  })
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
