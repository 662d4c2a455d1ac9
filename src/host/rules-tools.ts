import type { Fact } from './facts.ts'
import { installRemedy } from './remedies.ts'
import { blocks, hidden, warn, type Rule } from './rules.ts'

const withoutPackage =
  "run the distribution's kernel or one with CONFIG_IKHEADERS=y; in a container, mount /lib/modules and /usr/src"

/** Which programs and files are there. */
export const toolRules: readonly Rule[] = [
  {
    id: 'bpftrace',
    fact: ({ facts }) => facts.bpftrace.found,
    good: 'yes',
    well: 'found',
    bad: ({ family, bcc, headers }) =>
      bcc.is === 'yes' && headers.is === 'yes'
        ? warn(
            'probes run by bcc, where they have a variant for it, and start in seconds',
            installRemedy('bpftrace', family),
          )
        : blocks('nothing can be traced without bpftrace', installRemedy('bpftrace', family)),
    unseen: () => hidden('bpftrace did not answer', 'time bpftrace --version'),
  },
  {
    id: 'dev-fd',
    fact: ({ devFd }) => devFd,
    good: 'yes',
    well: 'programs can be passed without a file',
    bad: () =>
      warn(
        'bpftrace 0.27 fails without it, and 0.11 gets its program through it',
        'ln -s /proc/self/fd /dev/fd',
      ),
  },
  {
    id: 'setpriv',
    fact: ({ facts }) => toolFact('setpriv of util-linux', facts.tools.setpriv),
    good: 'yes',
    well: 'a tracing program ends with ebpf-run, even when that is killed',
    bad: ({ family }) =>
      warn(
        'if ebpf-run is killed with -9, its bpftrace lives up to 3 s longer',
        installRemedy('setpriv', family),
      ),
  },
  {
    id: 'unshare',
    fact: ({ facts }) => toolFact('unshare', facts.tools.unshare),
    good: 'yes',
    well: 'tracefs can be mounted privately',
    bad: ({ family }) =>
      warn('where tracefs is not mounted, nothing can be traced', installRemedy('unshare', family)),
  },
  {
    id: 'bcc-python',
    fact: ({ bcc }) => bcc,
    good: 'yes',
    well: 'variants written for bcc can run',
    bad: ({ family }) =>
      warn('variants written for bcc cannot run; bpftrace ones can', installRemedy('bcc', family)),
    unseen: () => hidden('Python did not answer', 'time /usr/bin/python3 -c "import bcc"'),
  },
  {
    id: 'kernel-headers',
    fact: ({ headers }) => headers,
    good: 'yes',
    well: 'bcc, and bpftrace where it has no BTF, can compile against this kernel',
    bad: ({ family, hasModulesFolder }) =>
      warn(
        'bcc programs that include kernel headers cannot be compiled',
        hasModulesFolder ? installRemedy('headers', family) : withoutPackage,
      ),
  },
]

function toolFact(name: string, path: string | null): Fact {
  return path === null
    ? { is: 'no', evidence: `no ${name} on PATH` }
    : { is: 'yes', evidence: path }
}
