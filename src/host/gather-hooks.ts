import { readBpftraceCached } from './bpftrace-version.ts'
import { findInBtf } from './btf.ts'
import type { HookFacts } from './facts.ts'
import { judgeBtfFunctions, judgeFentry, judgeKprobes, mechanismQuestions } from './functions.ts'
import { type KernelBtf, openKernelBtf } from './kernel-btf.ts'
import { readLockdown } from './lockdown.ts'
import { parseMounts } from './mounts.ts'
import { isAbleToMount, readIdentity } from './privileges.ts'
import { readPrivateTracefsCached } from './private-tracefs-cache.ts'
import { readHost } from './read.ts'
import { findTool } from './tools.ts'
import { lookIntoTracefs } from './tracepoints.ts'

/** What is asked: tracepoints as `sock:inet_sock_set_state`, functions by name. */
export interface HookQuestions {
  readonly tracepoints: readonly string[]
  readonly functions: readonly string[]
}

/**
 * The part of the host's facts that attaching to these depends on, and BTF, which the caller closes. `functions` is left to the
 * caller. Never throws.
 */
export async function gatherHookFacts(
  { tracepoints, functions }: HookQuestions,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly facts: HookFacts; readonly btf: KernelBtf }> {
  const mounts = readHost('/proc/self/mounts')
  const asking = readBpftraceCached(env)
  const looking = lookIntoTracefs(tracepoints, {
    mounts: parseMounts('text' in mounts ? mounts.text : ''),
    unshare: isAbleToMount(readIdentity(readHost)) ? findTool('unshare', env) : null,
    env,
    readPrivate: readPrivateTracefsCached,
  })
  const kernel = openKernelBtf(env)
  const types =
    kernel.btf === null
      ? null
      : findInBtf(kernel.btf, {
          members: mechanismQuestions.members,
          functions: [...functions, ...mechanismQuestions.functions],
        })
  const tracing = await looking
  const lockdown = readLockdown(readHost, tracing.lockdown)
  const mechanisms = { ...tracing, lockdown, btf: kernel.fact, types }
  const facts = {
    bpftrace: await asking,
    tracepoints: tracing.tracepoints,
    kprobes: judgeKprobes(readHost, mechanisms),
    fentry: judgeFentry(readHost, mechanisms),
    functions: {},
    btfFunctions: judgeBtfFunctions(functions, types),
  }
  return { facts, btf: kernel }
}
