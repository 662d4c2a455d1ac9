import { readlinkSync } from 'node:fs'
import { machine, release, version } from 'node:os'

import { readBlacklist } from './blacklist.ts'
import { findInBtf, type BtfFindings } from './btf.ts'
import type { Fact, HostFacts, Questions } from './facts.ts'
import {
  judgeBtfFunctions,
  judgeFentry,
  judgeFunctions,
  judgeKprobes,
  judgeSymbols,
  mechanismQuestions,
} from './functions.ts'
import { openKernelBtf } from './kernel-btf.ts'
import { judgePidNamespace, readJit, readOnlineCpus } from './kernel.ts'
import { findLibraries, judgeUprobes } from './libraries.ts'
import { readLockdown } from './lockdown.ts'
import { readMemory } from './memory.ts'
import { judgeDebugfs, parseMounts } from './mounts.ts'
import { readPrivateTracefs } from './private-tracefs.ts'
import { isAbleToMount, judgePrivileges, readIdentity } from './privileges.ts'
import { readBytes, readHost } from './read.ts'
import { findSetpriv, findTool, readBpftrace } from './tools.ts'
import { lookIntoTracefs } from './tracepoints.ts'

/** Who asks, and with which tools. */
export interface GatherOptions {
  /** Instead of the bpftrace on PATH. */
  readonly bpftracePath?: string
  readonly env: NodeJS.ProcessEnv
}

/**
 * What this machine can do, as far as the questions need it. Never throws: what cannot be seen is `unknown` or absent.
 * The children (bpftrace --version, and one with a private tracefs where none is mounted) run while BTF is read.
 */
export async function gatherFacts(
  questions: Questions,
  options: GatherOptions,
): Promise<HostFacts> {
  const { env } = options
  const tools = { setpriv: findSetpriv(env), unshare: findTool('unshare', env) }
  const mounts = parseMounts(textOf('/proc/self/mounts'))
  const identity = readIdentity(readHost)
  const asking = readBpftrace(options.bpftracePath, env)
  const looking = lookIntoTracefs(questions.tracepoints, {
    mounts,
    unshare: isAbleToMount(identity) ? tools.unshare : null,
    env,
    readPrivate: readPrivateTracefs,
  })

  const { btf, types } = readTypes(questions, env)
  const tracing = await looking
  const bpftrace = await asking
  const kallsyms = () => readBytes('/proc/kallsyms')
  const lockdown = readLockdown(readHost, tracing.lockdown)
  const mechanisms = { ...tracing, lockdown, btf, types }
  return {
    kernel: { release: release(), machine: machine(), version: version() },
    cpus: readOnlineCpus(readHost),
    memoryBytes: readMemory(readHost, mounts).bytes,
    privileged: judgePrivileges(identity, bpftrace.version),
    tracefs: tracing.tracefs,
    tracefsInDebugfs: judgeDebugfs(mounts),
    btf,
    kprobes: judgeKprobes(readHost, mechanisms),
    fentry: judgeFentry(readHost, mechanisms),
    lockdown,
    jit: readJit(readHost),
    hostPidNamespace: judgePidNamespace(linkOf('/proc/self/ns/pid')),
    bpftrace,
    tools,
    tracepoints: tracing.tracepoints,
    functions: judgeFunctions(questions.functions, {
      types,
      kallsyms,
      blacklist: readBlacklist(),
    }),
    symbols: judgeSymbols(questions.symbols ?? [], kallsyms),
    btfFunctions: judgeBtfFunctions(questions.functions, types),
    uprobes: judgeUprobes(readHost, lockdown),
    libraries: findLibraries(questions.libraryFunctions ?? [], { read: readHost, readBytes }),
    members: answered(types?.members ?? {}, questions.members),
  }
}

function readTypes(
  asked: Questions,
  env: NodeJS.ProcessEnv,
): { readonly btf: Fact; readonly types: BtfFindings | null } {
  const { fact, btf, close } = openKernelBtf(env)
  try {
    const types =
      btf === null
        ? null
        : findInBtf(btf, {
            members: [...asked.members, ...mechanismQuestions.members],
            functions: [...asked.functions, ...mechanismQuestions.functions],
          })
    return { btf: fact, types }
  } finally {
    close()
  }
}

/** Only what was asked. */
function answered(members: HostFacts['members'], asked: readonly string[]): HostFacts['members'] {
  return Object.fromEntries(Object.entries(members).filter(([path]) => asked.includes(path)))
}

function textOf(path: string): string {
  const file = readHost(path)
  return 'text' in file ? file.text : ''
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
