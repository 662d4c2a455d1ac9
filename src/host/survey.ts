import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'

import { no, unknown, yes } from './fact.ts'
import type { Fact, HostFacts } from './facts.ts'
import { gatherFacts } from './gather.ts'
import { readFamily, type Family } from './os-release.ts'
import { readIdentity } from './privileges.ts'
import { readHost, type Read } from './read.ts'
import { findTool } from './tools.ts'

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
    bcc,
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

/** Seconds that a Python may take to start and import bcc: a cold disk takes several. */
const pythonTimeoutMs = 10_000

/** The python3 on PATH may lack bcc while the distribution's own has it, so both are asked. */
async function findBcc(env: NodeJS.ProcessEnv): Promise<Fact> {
  const onPath = findTool('python3', env)
  const pythons = [...new Set(['/usr/bin/python3', ...(onPath === null ? [] : [onPath])])]
  const answers = await Promise.all(pythons.map((python) => tryBcc(python, env)))
  return answers.find((answer) => answer.is === 'yes') ?? worst(answers)
}

function worst(answers: readonly Fact[]): Fact {
  const evidence = answers.map((answer) => answer.evidence).join('; ')
  return answers.some((answer) => answer.is === 'unknown') ? unknown(evidence) : no(evidence)
}

function tryBcc(python: string, env: NodeJS.ProcessEnv): Promise<Fact> {
  const ask = ['-c', 'import bcc; print(bcc.__version__)']
  return new Promise((resolve) => {
    execFile(python, ask, { env, timeout: pythonTimeoutMs }, (error, stdout, stderr) => {
      if (error === null) return resolve(yes(`${python}: bcc ${stdout.trim()}`))
      if (error.killed === true)
        return resolve(unknown(`${python}: no answer in ${pythonTimeoutMs / 1000} s`))
      resolve(no(`${python}: ${stderr.trim().split('\n').at(-1) || (error.code ?? error.message)}`))
    }).stdin?.end()
  })
}

/** Where bcc and old bpftrace look: the build link of the modules, or the headers in the kernel (CONFIG_IKHEADERS). */
function findHeaders(release: string): Fact {
  const places = [`/lib/modules/${release}/build`, '/sys/kernel/kheaders.tar.xz']
  const found = places.find((place) => existsSync(place))
  return found === undefined ? no(`neither ${places.join(' nor ')}`) : yes(found)
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
