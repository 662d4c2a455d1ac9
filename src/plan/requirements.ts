import { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import { type Dialect, dialectOf, oldestBpftrace } from './dialect.ts'

/** The dialect of this host's bpftrace; null when there is none, or one that is too old. */
export function dialectOfHost({ bpftrace }: Pick<HostFacts, 'bpftrace'>): Dialect | null {
  return bpftrace.path === null || bpftrace.version === null ? null : dialectOf(bpftrace.version)
}

/** Why there is no dialect: NO_BPFTRACE (also for one that does not answer) or BPFTRACE_TOO_OLD. `instead`: why nothing else can do it. */
export function noBpftrace(facts: HostFacts, instead: readonly string[] = []): EbpfRunError {
  const { found, version, path, install = 'install bpftrace' } = facts.bpftrace
  const seen = (text: string): string => [text, ...instead].join('\n')
  if (path === null) {
    return new EbpfRunError({
      code: 'NO_BPFTRACE',
      message: 'bpftrace is not installed',
      expected: `bpftrace ${oldestBpftrace} or newer on PATH`,
      found: seen(found.evidence),
      remedy: `${install}; ebpf-run doctor checks the rest`,
    })
  }
  if (found.is === 'unknown')
    return new EbpfRunError({
      code: 'NO_BPFTRACE',
      message: 'bpftrace does not answer',
      expected: `the version of bpftrace, ${oldestBpftrace} or newer`,
      found: seen(found.evidence),
      remedy: `time ${path} --version; put another bpftrace first on PATH`,
    })
  return new EbpfRunError({
    code: 'BPFTRACE_TOO_OLD',
    message:
      version === null
        ? `${path} --version says nothing that could be understood`
        : `bpftrace ${version} is too old`,
    expected: `bpftrace ${oldestBpftrace} or newer`,
    found: seen(version ?? found.evidence),
    remedy: 'upgrade bpftrace, or put a newer one first on PATH',
  })
}

/** Throws NO_PERMISSION. */
export function requirePrivileges(facts: HostFacts): void {
  if (facts.privileged.is !== 'no') return
  throw new EbpfRunError({
    code: 'NO_PERMISSION',
    message: 'tracing the kernel needs root',
    expected: 'root, or CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH (bpftrace 0.25 and newer)',
    found: facts.privileged.evidence,
    remedy: `sudo ebpf-run …; or look at a recording: ebpf-run replay FILE`,
  })
}
