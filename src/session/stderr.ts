import { EbpfRunError, type ErrorCode } from '../errors.ts'
import type { BackendName } from '../schema/define.ts'

interface Understood {
  readonly pattern: RegExp
  readonly code: ErrorCode
  readonly message: string
  readonly remedy: string
}

/** What bpftrace says when it gives up, most telling first. Texts seen on 0.11.3, 0.17.0, 0.23.2 and 0.27.1. */
const understood: readonly Understood[] = [
  {
    pattern:
      /only supports running as the root user|must be run as root|requires? (?:root|CAP_)|Operation not permitted.*(?:bpf|BPF)|missing capabilit|Error loading BPF program.*Operation not permitted/i,
    code: 'NO_PERMISSION',
    message: 'bpftrace was not permitted to trace',
    remedy: 'sudo ebpf-run …; ebpf-run doctor',
  },
  {
    pattern: /lockdown/i,
    code: 'NO_PERMISSION',
    message: 'kernel lockdown forbids reading kernel memory',
    remedy:
      'cat /sys/kernel/security/lockdown; it is set by Secure Boot or lockdown= on the kernel command line',
  },
  {
    pattern:
      /Error loading program|Error loading BPF program|BPF_PROG_LOAD|verifier|stack limit of 512 bytes|failed to load|Program.*too large/i,
    code: 'REJECTED',
    message: 'the kernel refused the program',
    remedy:
      'ebpf-run print PROBE shows it; run again with -v for the whole report and tell us the kernel and bpftrace versions',
  },
  {
    // 0.17.0 and older; the other order works (seen on 6.1 and 6.18).
    pattern: /perf_event_open\([^)\n]*\/uprobes\/[^)\n]*_bcc_[^)\n]*\): Invalid argument/,
    code: 'ATTACH_FAILED',
    message:
      'a program of bcc has probes at the same functions, and this bpftrace cannot attach beside it',
    remedy: '--backend bcc, a newer bpftrace, or start it before the other program',
  },
  {
    pattern:
      /Error attaching probe|cannot attach|Unable to attach|Could not resolve symbol|No matches for|tracepoint not found|does not exist|unable to find|not traceable|Failed to attach|available_filter_functions/i,
    code: 'ATTACH_FAILED',
    message: 'the program could not be attached',
    remedy: 'ebpf-run plan PROBE names the attach points; ebpf-run doctor',
  },
  {
    pattern: /syntax error|ERROR: |FATAL: |fatal error: |^error: /m,
    code: 'REJECTED',
    message: 'bpftrace could not compile the program',
    remedy:
      'ebpf-run print PROBE shows it; please report it with the versions that ebpf-run doctor shows',
  },
]

/** What the driver of bcc says at its end (src/backends/bcc/driver.py, give_up), with what clang and the verifier said before. */
const ofBcc: readonly Understood[] = [
  {
    pattern: /kernel headers|kheaders|linux\/kconfig\.h' file not found/i,
    code: 'REJECTED',
    message: "bcc did not find the running kernel's headers",
    remedy: 'ebpf-run doctor says how to install them',
  },
  {
    pattern: /^bcc driver: .*(?:Operation not permitted|Permission denied.*(?:CAP_|root))/m,
    code: 'NO_PERMISSION',
    message: 'bcc was not permitted to trace',
    remedy: 'sudo ebpf-run …; ebpf-run doctor',
  },
  {
    pattern: /^bcc driver: attach: /m,
    code: 'ATTACH_FAILED',
    message: 'the program could not be attached',
    remedy: 'ebpf-run plan PROBE; ebpf-run doctor',
  },
  {
    pattern: /^bcc driver: load: /m,
    code: 'REJECTED',
    message: 'the kernel refused the program',
    remedy:
      'ebpf-run print PROBE --backend bcc shows it; run again with -v for the whole report and tell us the kernel and bcc versions',
  },
  {
    pattern: /^bcc driver: compile: /m,
    code: 'REJECTED',
    message: 'bcc could not compile the program',
    remedy:
      'ebpf-run print PROBE --backend bcc shows it; please report it with the versions that ebpf-run doctor shows',
  },
  {
    pattern: /^bcc driver: import: /m,
    code: 'BACKEND_DIED',
    message: 'this Python has no bcc that works',
    remedy: '/usr/bin/python3 -I -c "import bcc"; ebpf-run doctor',
  },
]

const ofReader: typeof ofBcc = [
  {
    pattern: /^printk reader: .*(?:EPERM|EACCES)/m,
    code: 'NO_PERMISSION',
    message: 'a trace instance could not be made',
    remedy: 'sudo ebpf-run …; ebpf-run doctor',
  },
  {
    pattern: /^printk reader: instance: /m,
    code: 'ATTACH_FAILED',
    message: 'a trace instance could not be made or set up',
    remedy:
      'ls /sys/kernel/tracing/instances; ebpf-run doctor; a smaller --buffer needs less memory',
  },
]

/** Why a child ended that should have gone on, from its last lines, exit code and signal. */
export function explainExit(
  lines: readonly string[],
  exit: { readonly code: number | null; readonly signal: string | null },
  attached: boolean,
  backend: BackendName = 'bpftrace',
  isScript = false,
): EbpfRunError {
  const own = lines.filter((line) => !isHarmless(line))
  const text = own.join('\n')
  const how = exit.signal === null ? `exit code ${exit.code}` : exit.signal
  const table = { bpftrace: understood, bcc: ofBcc, tracefs: ofReader }[backend]
  const known = attached ? undefined : table.find((each) => each.pattern.test(text))
  return new EbpfRunError({
    code: known?.code ?? (attached ? 'BACKEND_DIED' : 'NOT_ATTACHED'),
    message:
      known?.message ??
      (attached
        ? `${backend} died while running (${how})`
        : `${backend} ended before it was attached (${how})`),
    found: how,
    remedy:
      (isScript && known?.code !== 'NO_PERMISSION' ? remedyOfScript : known?.remedy) ??
      `run again with -v to see all that ${backend} says; ebpf-run doctor`,
    ...(text === '' ? {} : { detail: telling(own).join('\n') }),
  })
}

/** What bpftrace refuses of somebody's script is seldom ours. */
const remedyOfScript =
  'bpftrace FILE.bt says whether the script itself works here; ebpf-run print script FILE.bt shows the program'

/** An ERROR that comes in runs that succeed as well (0.17.0 and older, in containers). */
function isHarmless(line: string): boolean {
  return line.includes('RLIMIT_MEMLOCK')
}

/** The lines worth showing: those that complain, else the last ones. */
function telling(lines: readonly string[]): readonly string[] {
  const complaints = lines.filter((line) => /error|fail|not |denied|invalid|cannot/i.test(line))
  return (complaints.length > 0 ? complaints : lines).slice(-8)
}
