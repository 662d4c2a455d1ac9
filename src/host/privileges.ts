import { no, unknown, yes } from './fact.ts'
import type { Fact } from './facts.ts'
import type { Read } from './read.ts'
import { isAtLeast } from './version.ts'

/** Numbers of capabilities, include/uapi/linux/capability.h. */
const capabilities = {
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const

/** What /proc/self says about who we are. */
export interface Identity {
  readonly euid: number
  readonly held: ReadonlySet<string>
  /** False in a user namespace, whose root has no say over the kernel's tracing. */
  readonly isInitialUserNamespace: boolean
}

/** Identity of this process, or the errno that kept it from us. */
export function readIdentity(read: Read): Identity | { readonly errno: string } {
  const status = read('/proc/self/status')
  if ('errno' in status) return status
  const map = read('/proc/self/uid_map')
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status.text)?.[1] ?? '0'}`)
  const isHeld = (bit: number) => ((mask >> BigInt(bit)) & 1n) === 1n
  return {
    euid: Number(/^Uid:\s*\d+\s+(\d+)/m.exec(status.text)?.[1] ?? Number.NaN),
    held: new Set(
      Object.entries(capabilities)
        .filter(([, bit]) => isHeld(bit))
        .map(([name]) => name),
    ),
    isInitialUserNamespace: 'errno' in map || isWholeMap(map.text),
  }
}

/** Whether we may mount in a mount namespace of our own: mount_namespaces(7), CAP_SYS_ADMIN. */
export function isAbleToMount(identity: Identity | { readonly errno: string }): boolean {
  return 'held' in identity && identity.isInitialUserNamespace && identity.held.has('CAP_SYS_ADMIN')
}

/** What bpftrace asks of a user who is not root, from which version on. 0.11.3 to 0.23.2 refuse; 0.27.1 lists these. */
const rootlessSince = {
  version: [0, 24],
  needs: ['CAP_DAC_READ_SEARCH', 'CAP_DAC_OVERRIDE'],
} as const

/**
 * Whether bpftrace may trace: what the kernel wants is CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON (capabilities(7));
 * a user who is not root also needs a bpftrace that accepts that. Null: the version is not known.
 */
export function judgePrivileges(
  identity: Identity | { readonly errno: string },
  bpftraceVersion: string | null,
): Fact {
  if ('errno' in identity) return unknown(`/proc/self/status: ${identity.errno}`)
  const { euid, held, isInitialUserNamespace } = identity
  if (!isInitialUserNamespace) {
    return no('in a user namespace: /proc/self/uid_map does not map every user')
  }
  const evidence = `euid ${euid}, effective capabilities ${describe(held)}`
  const isAble = held.has('CAP_SYS_ADMIN') || (held.has('CAP_BPF') && held.has('CAP_PERFMON'))
  if (!isAble) return no(evidence)
  if (euid === 0) return yes(evidence)
  if (bpftraceVersion !== null && !isAtLeast(bpftraceVersion, rootlessSince.version))
    return no(`euid ${euid}; bpftrace ${bpftraceVersion} runs as root only`)
  const lacking = rootlessSince.needs.filter((name) => !held.has(name))
  return lacking.length === 0
    ? yes(evidence)
    : no(`${evidence}; bpftrace also wants ${lacking.join(', ')}`)
}

function describe(held: ReadonlySet<string>): string {
  const relevant = ['CAP_SYS_ADMIN', 'CAP_BPF', 'CAP_PERFMON'].filter((name) => held.has(name))
  return relevant.join(' ') || 'without CAP_SYS_ADMIN, CAP_BPF and CAP_PERFMON'
}

/** user_namespaces(7): the initial namespace maps 0 to 0 for all 4294967295 ids. */
function isWholeMap(text: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(text)
}
