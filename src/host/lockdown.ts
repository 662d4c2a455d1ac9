import { firstKnown, no, unknown, yes } from './fact.ts'
import type { Fact } from './facts.ts'
import type { Read } from './read.ts'

const lockdownFile = '/sys/kernel/security/lockdown'

/**
 * Yes when the kernel is locked down to `confidentiality`: then BPF programs may not read kernel memory and kprobes
 * are refused (enum lockdown_reason in include/linux/security.h: LOCKDOWN_KPROBES and LOCKDOWN_BPF_READ_KERNEL come
 * after LOCKDOWN_INTEGRITY_MAX). `integrity` leaves tracing alone, so it is a no.
 * `privately` is the file's text as a child saw it that mounted securityfs for itself.
 */
export function readLockdown(read: Read, privately: string | null): Fact {
  const seen = privately === null ? [] : [judgeText(privately)]
  return firstKnown([judgeFile(read), ...seen, judgeCommandLine(read)])
}

function judgeFile(read: Read): Fact {
  const file = read(lockdownFile)
  return 'errno' in file ? unknown(`${lockdownFile}: ${file.errno}`) : judgeText(file.text.trim())
}

/** `none [integrity] confidentiality`: the mode in brackets is on (security/lockdown/lockdown.c, lockdown_read). */
function judgeText(text: string): Fact {
  const evidence = `${lockdownFile}: ${text}`
  const mode = /\[(\w+)\]/.exec(text)?.[1]
  if (mode === undefined) return unknown(evidence)
  return mode === 'confidentiality' ? yes(evidence) : no(evidence)
}

function judgeCommandLine(read: Read): Fact {
  const file = read('/proc/cmdline')
  if ('errno' in file) return unknown(`/proc/cmdline: ${file.errno}`)
  const isAsked = /(?:^|\s)lockdown=confidentiality(?:\s|$)/.test(file.text)
  return isAsked
    ? yes('/proc/cmdline: lockdown=confidentiality')
    : unknown('/proc/cmdline does not ask for it')
}
