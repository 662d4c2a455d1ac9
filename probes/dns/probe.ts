import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

/** What getaddrinfo() returns (netdb.h of the C library), and the reentrant ones (errno.h); the others return a pointer or none. */
const outcomes = {
  '-1': 'EAI_BADFLAGS',
  '-2': 'EAI_NONAME',
  '-3': 'EAI_AGAIN',
  '-4': 'EAI_FAIL',
  '-5': 'EAI_NODATA',
  '-6': 'EAI_FAMILY',
  '-7': 'EAI_SOCKTYPE',
  '-8': 'EAI_SERVICE',
  '-9': 'EAI_ADDRFAMILY',
  '-10': 'EAI_MEMORY',
  '-11': 'EAI_SYSTEM',
  '-12': 'EAI_OVERFLOW',
  '-100': 'EAI_INPROGRESS',
  '-101': 'EAI_CANCELED',
  '-102': 'EAI_NOTCANCELED',
  '-103': 'EAI_ALLDONE',
  '-104': 'EAI_INTR',
  '-105': 'EAI_IDN_ENCODE',
  '1': 'FAILED',
  '11': 'EAGAIN',
  '22': 'EINVAL',
  '34': 'ERANGE',
} as const

/** The numbers are the programs' own. */
const kinds = {
  1: 'getaddrinfo',
  2: 'gethostbyname',
  3: 'gethostbyname2',
  4: 'gethostbyname_r',
  5: 'gethostbyname2_r',
  6: 'gethostbyaddr',
  7: 'gethostbyaddr_r',
} as const

const functions = Object.values(kinds).map((uprobe) => ({ uprobe, library: 'libc' }) as const)
const misses =
  'programs with a resolver of their own (Go, statically linked ones) or another libc, such as that of a container (--libc); lookups that never return; calls made while another tracing program runs on that CPU'
/** On arm64, which has this struct, the seventh argument is in a register; else it is on the stack. */
const options = { registers: { btf: 'user_pt_regs.pstate' } } as const

export default defineProbe({
  name: 'dns',
  aliases: ['gethostlatency'],
  summary: 'name lookups by the C library: host, result, and how long it took',
  example: 'ebpf-run dns --failed',
  owner: 'task',
  failed: [
    { field: 'result', min: -4095, max: -1 },
    { field: 'result', min: 1, max: 4095 },
  ],
  libraries: { libc: { doc: 'C library whose calls are told, such as that of a container' } },
  events: {
    lookup: {
      doc: 'one call that looks up a host; what it calls to do so is part of it',
      fields: {
        ...common,
        kind: {
          kind: 'enum',
          names: kinds,
          doc: 'the function',
          width: 16,
        },
        host: {
          kind: 'text',
          bytes: 128,
          emptyIsNull: true,
          doc: 'name that was looked up; null when the caller gave none, or an address',
          width: 24,
        },
        address: {
          kind: 'address',
          nullAs: '::',
          later: true,
          doc: 'address whose name was looked up; null for a lookup of a name',
        },
        result: {
          kind: 'result',
          names: outcomes,
          doc: 'what the function returned: 0, an EAI_ code of getaddrinfo(), or what a reentrant function returned (`ERANGE`: the caller has too little room, and asks again); `FAILED` (1) where nothing was found and no reason returned',
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'from the call to its return',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'comm', 'duration_ns', 'result', 'host'],
    },
  },
  variants: [
    {
      name: 'uprobe',
      backend: 'bpftrace',
      template: 'uprobe.bt',
      needs: [
        // 0.27.1 gives events of uprobe programs the values of others that preempt them (measured on 7.2): from 0.22 on large
        // values live in a buffer of the CPU, not on the stack.
        { bpftrace: '<0.22.0' },
        ...functions,
      ],
      options,
      cannotTell: {},
      misses,
      cost: 'a uprobe and a uretprobe a lookup',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [{ bcc: '>=0.18.0' }, ...functions],
      options,
      cannotTell: {},
      misses,
      cost: 'a uprobe and a uretprobe a lookup; a compiler run of seconds at the start',
    },
  ],
})
