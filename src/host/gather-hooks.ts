import { readBpftraceCached } from './bpftrace-version.ts'
import { btfKinds, idsNamed } from './btf-layout.ts'
import { type Btf, openBtf } from './btf-types.ts'
import { argumentCount, findPath } from './btf-walk.ts'
import type { BtfFindings } from './btf.ts'
import { no, unknown, yes } from './fact.ts'
import type { Fact, HookFacts } from './facts.ts'
import { judgeBtfFunctions, judgeFentry, judgeKprobes, mechanismQuestions } from './functions.ts'
import { readLockdown } from './lockdown.ts'
import { parseMounts } from './mounts.ts'
import { isAbleToMount, readIdentity } from './privileges.ts'
import { readPrivateTracefsCached } from './private-tracefs-cache.ts'
import { readBytes, readHost } from './read.ts'
import { findTool } from './tools.ts'
import { lookIntoTracefs } from './tracepoints.ts'

/** What is asked: tracepoints as `sock:inet_sock_set_state`, functions by name. */
export interface HookQuestions {
  readonly tracepoints: readonly string[]
  readonly functions: readonly string[]
}

/**
 * The part of the host's facts that attaching to these depends on, and BTF, which is read once for all of it. `functions` is
 * left to the caller. Never throws.
 */
export async function gatherHookFacts(
  { tracepoints, functions }: HookQuestions,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly facts: HookFacts; readonly btf: Btf | null }> {
  const mounts = readHost('/proc/self/mounts')
  const asking = readBpftraceCached(env)
  const looking = lookIntoTracefs(tracepoints, {
    mounts: parseMounts('text' in mounts ? mounts.text : ''),
    unshare: isAbleToMount(readIdentity(readHost)) ? findTool('unshare', env) : null,
    env,
    readPrivate: readPrivateTracefsCached,
  })
  const { fact, btf } = readBtf()
  const types = btf === null ? null : typesOf(btf, functions)
  const tracing = await looking
  const lockdown = readLockdown(readHost, tracing.lockdown)
  const mechanisms = { ...tracing, lockdown, btf: fact, types }
  const facts = {
    bpftrace: await asking,
    tracepoints: tracing.tracepoints,
    kprobes: judgeKprobes(readHost, mechanisms),
    fentry: judgeFentry(readHost, mechanisms),
    functions: {},
    btfFunctions: judgeBtfFunctions(functions, types),
  }
  return { facts, btf }
}

const btfFile = '/sys/kernel/btf/vmlinux'

function readBtf(): { readonly fact: Fact; readonly btf: Btf | null } {
  const file = readBytes(btfFile)
  if ('errno' in file)
    return {
      fact: (file.errno === 'ENOENT' ? no : unknown)(`${btfFile}: ${file.errno}`),
      btf: null,
    }
  const btf = openBtf(file.bytes)
  const fact =
    btf === null
      ? no(`${btfFile} is not BTF of this machine's byte order`)
      : yes(`${btfFile}: ${file.bytes.length} bytes`)
  return { fact, btf }
}

function typesOf({ index }: Btf, functions: readonly string[]): BtfFindings {
  const idOf = (name: string) => idsNamed(index, name, [btfKinds.FUNC])[0]
  const placeOf = (path: string) =>
    findPath(index, idsNamed(index, path.split('.', 1)[0] ?? '', [btfKinds.STRUCT]), path)
  return {
    functions: Object.fromEntries(
      [...functions, ...mechanismQuestions.functions].map((name) => [
        name,
        idOf(name) !== undefined,
      ]),
    ),
    argumentCounts: Object.fromEntries(
      functions.flatMap((name) => {
        const id = idOf(name)
        return id === undefined ? [] : [[name, argumentCount(index, id)] as const]
      }),
    ),
    members: Object.fromEntries(mechanismQuestions.members.map((path) => [path, placeOf(path)])),
  }
}
