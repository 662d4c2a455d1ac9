import { asRoot, blocks, hidden, warn, type Rule } from './rules.ts'

/** What the kernel, and our place on it, allow. */
export const kernelRules: readonly Rule[] = [
  {
    id: 'privileges',
    fact: ({ facts }) => facts.privileged,
    good: 'yes',
    well: 'may load tracing programs',
    bad: ({ isRoot }) =>
      blocks(
        'the kernel or bpftrace refuses tracing programs from this user',
        isRoot
          ? 'leave the container: run on the host, or docker run --privileged --pid=host'
          : 'sudo ebpf-run PROBE',
      ),
  },
  {
    id: 'seccomp',
    fact: ({ seccomp }) => seccomp,
    good: 'no',
    well: 'no filter stands between us and bpf(2)',
    bad: () =>
      warn(
        'a seccomp filter may refuse bpf(2) and perf_event_open(2)',
        'run outside the sandbox, or docker run --security-opt seccomp=unconfined',
      ),
  },
  {
    id: 'lockdown',
    fact: ({ facts }) => facts.lockdown,
    good: 'no',
    well: 'programs may read kernel memory',
    reveal: 'mount -t securityfs securityfs /sys/kernel/security',
    bad: () =>
      blocks(
        'kernel lockdown (confidentiality) refuses kprobes and reading kernel memory',
        'boot without lockdown=confidentiality (with Secure Boot: see man kernel_lockdown)',
      ),
  },
  {
    id: 'tracefs',
    fact: ({ facts, tracepoints }) => ({ is: tracepoints.is, evidence: facts.tracefs.evidence }),
    good: 'yes',
    well: 'tracepoints can be read; where tracefs is not mounted, each run has a private one',
    bad: () =>
      blocks(
        'this kernel lacks tracepoints that the probes use',
        'use a kernel of 4.16 or later with CONFIG_TRACEPOINTS',
      ),
    unseen: ({ facts }) =>
      facts.privileged.is === 'yes'
        ? blocks(
            'tracepoints cannot be read, and no private tracefs could be mounted',
            'mount -t tracefs tracefs /sys/kernel/tracing',
          )
        : hidden('only root can read tracefs, or mount a private one', asRoot),
  },
  {
    id: 'btf',
    fact: ({ facts }) => facts.btf,
    good: 'yes',
    well: 'programs can read kernel structures',
    bad: () =>
      warn(
        'no fentry, and programs that read kernel structures need headers',
        'use a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Fedora 32, RHEL 8.2, Ubuntu 20.10 and later have it)',
      ),
  },
  {
    id: 'kprobes',
    fact: ({ facts }) => facts.kprobes,
    good: 'yes',
    well: 'any traceable kernel function can be hooked',
    bad: () =>
      warn(
        'probes use their tracepoint variants; those without one cannot run',
        'use a kernel with CONFIG_KPROBE_EVENTS=y',
      ),
  },
  {
    id: 'fentry',
    fact: ({ facts }) => facts.fentry,
    good: 'yes',
    well: 'functions can be hooked without missing calls',
    reveal: 'mount -t tracefs tracefs /sys/kernel/tracing',
    bad: () =>
      warn(
        'probes use tracepoints or kprobes, which the kernel can skip',
        'use a kernel with BTF and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y that does not refuse function tracing',
      ),
  },
  {
    id: 'jit',
    fact: ({ facts }) => facts.jit,
    good: 'yes',
    well: 'programs run as machine code',
    bad: () =>
      warn(
        'programs are interpreted: tracing costs several times more',
        'sysctl -w net.core.bpf_jit_enable=1',
      ),
  },
  {
    id: 'pid-namespace',
    fact: ({ facts }) => facts.hostPidNamespace,
    good: 'yes',
    well: 'pids in events are the pids seen here',
    bad: () =>
      warn(
        "pids in events are those of the host, not of this container; --pid means the host's",
        'run on the host, or docker run --pid=host',
      ),
  },
]
