import type { LoadedProbe } from '../plan/plan.ts'
import type { Io } from './io.ts'
import { tellLeftOut } from './left-out.ts'
import { readRequest } from './request.ts'
import type { Parsed } from './target.ts'
import { chooseParts, type Parts, probeOf } from './trace-target.ts'

/** The commands that say how events look, which does not depend on what this host can do. */
const ofAnyHost: ReadonlySet<string> = new Set(['schema', 'types'])

/**
 * Runs a trace, or tells of it, with `act`. Of several attach points those that cannot be attached here are left out and told; what
 * only the kernel knows shows when it refuses: then each is attached by itself, and the rest is run.
 */
export async function runTrace(
  asked: Parts,
  command: string,
  parsed: Parsed,
  io: Io,
  act: (probe: LoadedProbe) => Promise<number>,
): Promise<number> {
  const isSeveral = asked.parts.length + asked.leftOut.length > 1
  if (!isSeveral || ofAnyHost.has(command)) return act(probeOf(asked))
  const chosen = await chooseParts(asked, parsed.texts['backend']?.at(-1) ?? null, io.env)
  tellLeftOut('not traced', chosen.leftOut, io)
  if (command !== 'trace' || chosen.parts.length === 1) return act(probeOf(chosen))
  try {
    return await act(probeOf(chosen))
  } catch (error) {
    const { isStartFailure, leaveOutRefused } = await import('./isolate.ts')
    if (!isStartFailure(error)) throw error
    const { attachTimeoutMs } = readRequest(probeOf(chosen), parsed)
    const left = await leaveOutRefused(chosen, attachTimeoutMs, io.env)
    if (left.parts.length === 0 || left.parts.length === chosen.parts.length) throw error
    tellLeftOut('not traced', left.leftOut.slice(chosen.leftOut.length), io)
    return act(probeOf(left))
  }
}
