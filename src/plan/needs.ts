import semver from 'semver'
import type { Fact, HostFacts, LibraryFacts } from '../host/facts.ts'
import type { Hook, Need } from '../schema/define.ts'
import type { Dialect } from './dialect.ts'
import { checkHookNeed } from './hook-needs.ts'
import { lackOfMark } from './mark-needs.ts'
import { broken } from './template.ts'

/** Whether a need holds on this host, with the evidence. Only `yes` counts as held. `dialect`: of bpftrace, null for bcc. */
export function checkNeed(need: Need, facts: HostFacts, dialect: Dialect | null): Fact {
  if ('tracepoint' in need || 'function' in need) return checkHookNeed(need, facts, dialect)
  if ('uprobe' in need) return checkUprobe(need.uprobe, need.library, facts)
  if ('usdt' in need) return checkMark(need, facts, dialect)
  if ('btf' in need) return checkMember(need.btf, facts)
  if ('symbol' in need) return facts.symbols?.[need.symbol] ?? notLooked(need.symbol)
  if ('hook' in need) return checkHook(need.hook, facts)
  if ('headers' in need) return facts.headers ?? notLooked('headers')
  if ('bcc' in need) return checkBcc(need.bcc, facts)
  if ('linux' in need) return checkKernel(need.linux, facts)
  return checkVersion(need.bpftrace, facts)
}

/** Paths that can stand in an attach point: nothing that bpftrace gives a meaning to. */
export const attachablePath = /^(?:\/[A-Za-z0-9._+-]+)+$/

/** Where a library lies whose function gets a uprobe. Throws also for a path that holds more than names: it would be read as something else. */
export function uprobePath(
  input: {
    readonly where: string
    readonly libraries: Readonly<Record<string, LibraryFacts>>
  },
  library: string,
  name: string,
  isMark = false,
): string {
  const path = input.libraries[library]?.path ?? null
  if (path === null) throw broken(input.where, `no place known for ${library}`)
  if (!attachablePath.test(path) || !(isMark ? /^\w+:\w+$/ : /^\w+$/).test(name))
    throw broken(input.where, `${JSON.stringify(`${path}:${name}`)} is no attach point`)
  return path
}

function checkUprobe(name: string, library: string, facts: HostFacts): Fact {
  const mechanism = facts.uprobes ?? { is: 'unknown', evidence: 'nobody looked for uprobes' }
  if (mechanism.is !== 'yes') return mechanism
  const found = facts.libraries?.[library]
  if (found === undefined) return { is: 'unknown', evidence: `nobody looked for ${library}` }
  if (found.path !== null && !attachablePath.test(found.path))
    return { is: 'no', evidence: `${JSON.stringify(found.path)} cannot stand in an attach point` }
  return found.functions[name] ?? { is: 'unknown', evidence: `nobody looked for ${name}` }
}

/** bpftrace finds a mark by itself; bcc is told where it stands. Both must be able to read what is asked for. */
function checkMark(
  { usdt, library, reads = [] }: Extract<Need, { readonly usdt: string }>,
  facts: HostFacts,
  dialect: Dialect | null,
): Fact {
  const found = checkUprobe(usdt, library, facts)
  if (found.is !== 'yes' || (dialect !== null && reads.length === 0)) return found
  const places = facts.libraries?.[library]?.marks?.[usdt]
  if (places === undefined) return notLooked(`the places of ${usdt}`)
  const lack = lackOfMark(places, reads, dialect === null ? null : (facts.bpftrace.version ?? ''))
  return lack === null ? found : { is: 'no', evidence: `${usdt}: ${lack}` }
}

function checkMember(path: string, facts: HostFacts): Fact {
  if (facts.btf.is !== 'yes') return facts.btf
  const member = facts.members[path]
  return member
    ? { is: 'yes', evidence: `${path} at ${member.offset}` }
    : { is: 'no', evidence: `BTF has no ${path}` }
}

/** A kernel function that is there when the hook is, and since when. */
export const hookFunctions: Readonly<Record<Hook, string>> = {
  // 5.9: XDP programs by BPF links.
  xdp: 'bpf_xdp_link_attach',
  // 6.6: tc programs by BPF links.
  tcx: 'tcx_link_attach',
  // What calls filters of tc; cls_bpf and sch_ingress may be modules that are loaded when they are asked for.
  clsact: 'tcf_classify',
  'socket filter': 'sk_attach_bpf',
}

function checkHook(hook: Hook, facts: HostFacts): Fact {
  const name = hookFunctions[hook]
  const found = facts.functions[name] ?? notLooked(name)
  return found.is === 'no'
    ? { is: 'no', evidence: `this kernel has no ${hook}: ${found.evidence}` }
    : found
}

function notLooked(what: string): Fact {
  return { is: 'unknown', evidence: `nobody looked for ${what}` }
}

function checkBcc(range: string, { bcc }: HostFacts): Fact {
  if (bcc === undefined) return notLooked('bcc')
  if (bcc.found.is !== 'yes' || bcc.version === null) return bcc.found
  const is = semver.satisfies(bcc.version, range) ? 'yes' : 'no'
  return { is, evidence: bcc.found.evidence }
}

function checkKernel(range: string, { kernel }: HostFacts): Fact {
  // 6.12.94+deb13-amd64
  const version = semver.coerce(kernel.release)
  if (version === null) return { is: 'unknown', evidence: `the kernel is ${kernel.release}` }
  return {
    is: semver.satisfies(version, range) ? 'yes' : 'no',
    evidence: `the kernel is ${kernel.release}`,
  }
}

function checkVersion(range: string, facts: HostFacts): Fact {
  const { version } = facts.bpftrace
  if (version === null) return facts.bpftrace.found
  return { is: semver.satisfies(version, range) ? 'yes' : 'no', evidence: `bpftrace is ${version}` }
}
