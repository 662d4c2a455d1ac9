import { existsSync } from 'node:fs'

import { findBcc, findHeaders } from './bcc.ts'
import { no, unknown, yes } from './fact.ts'
import type { Fact, HostFacts } from './facts.ts'
import { gatherFacts } from './gather.ts'
import { readFamily, type Family } from './os-release.ts'
import { readIdentity } from './privileges.ts'
import { readHost, type Read } from './read.ts'

/** Everything that can trip a user: the host facts, and what only a thorough look finds. */
export interface Survey {
  readonly facts: HostFacts
  readonly family: Family | null
  readonly isRoot: boolean
  /** A tracepoint's format could be read, from the host's tracefs or a private one. */
  readonly tracepoints: Fact
  readonly bcc: Fact
  readonly headers: Fact
  /** The kernel has a folder in /lib/modules, as one installed from a package has. */
  readonly hasModulesFolder: boolean
  /** /dev/fd leads to our open files. */
  readonly devFd: Fact
  /** Bytes that may be locked in memory: RLIMIT_MEMLOCK, Infinity for no limit, null when unread. */
  readonly memlockBytes: number | null
  readonly mayRaiseLimits: boolean
  /** A seccomp filter is on this process: proc(5), Seccomp: 2. */
  readonly seccomp: Fact
}

/** A tracepoint that every kernel since 4.16 has. */
const sample = 'sock:inet_sock_set_state'

/** Surveys this machine; the slow looks (Python starts) run at the same time as the facts are gathered. */
export async function surveyHost(env: NodeJS.ProcessEnv): Promise<Survey> {
  const asked = { tracepoints: [sample], functions: [], members: [] }
  const [facts, bcc] = await Promise.all([gatherFacts(asked, { env }), findBcc(env)])
  const identity = readIdentity(readHost)
  return {
    facts,
    family: readFamily(readHost),
    isRoot: 'euid' in identity && identity.euid === 0,
    tracepoints: judgeSample(facts),
    bcc: bcc.found,
    headers: findHeaders(facts.kernel.release),
    hasModulesFolder: existsSync(`/lib/modules/${facts.kernel.release}`),
    devFd: existsSync('/dev/fd/0') ? yes('/dev/fd/0 is there') : no('/dev/fd/0: ENOENT'),
    memlockBytes: readMemlock(readHost),
    mayRaiseLimits: 'held' in identity && identity.held.has('CAP_SYS_RESOURCE'),
    seccomp: readSeccomp(readHost),
  }
}

function judgeSample(facts: HostFacts): Fact {
  const fields = facts.tracepoints[sample]
  if (fields === undefined) return unknown(`the format of ${sample} could not be read`)
  return fields === null
    ? no(`no tracepoint ${sample}`)
    : yes(`${sample} has ${fields.length} fields`)
}

/** proc(5), /proc/pid/limits: `Max locked memory         8388608              8388608              bytes`. */
function readMemlock(read: Read): number | null {
  const file = read('/proc/self/limits')
  const soft = 'text' in file ? /^Max locked memory\s+(\w+)/m.exec(file.text)?.[1] : undefined
  if (soft === undefined) return null
  return soft === 'unlimited' ? Infinity : Number(soft)
}

function readSeccomp(read: Read): Fact {
  const file = read('/proc/self/status')
  const mode = 'text' in file ? /^Seccomp:\s*(\d)/m.exec(file.text)?.[1] : undefined
  if (mode === undefined) return unknown('/proc/self/status tells no Seccomp')
  return mode === '2'
    ? yes('/proc/self/status: Seccomp: 2')
    : no(`/proc/self/status: Seccomp: ${mode}`)
}
