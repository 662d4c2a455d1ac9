import { isAtLeast } from './versions.ts'

/** What differs between bpftrace versions, as far as generated programs and their start are concerned. */
export interface Dialect {
  /** First bpftrace version this row speaks for. */
  readonly since: string
  /**
   * `text`: the token stands in the format. `number`: it is an argument, printed with %lx. 0.11.3 limits a format to 64 bytes
   * and takes letters after a conversion for a part of it.
   */
  readonly token: 'text' | 'number'
  /** 0.11.3 closes fd 0 while it looks for headers, so its `-` reads an empty program. */
  readonly programFrom: 'stdin' | 'file'
  /** Below 0.15 tracepoint arguments need a linux/types.h; ours is passed with -I. */
  readonly ownTypes: boolean
  readonly flags: readonly string[]
  /** Variable that sets the longest str(); renamed in 0.20, the old name is ignored from 0.24 on. */
  readonly strlenVariable: string
  /** Variable that sets how many keys a map holds, 4096 without it; renamed in 0.20. */
  readonly keysVariable: string
  /** Variable that sets the pages of a CPU's share of the output buffer. */
  readonly pagesVariable: string
  /** How events travel: a perf buffer a CPU, or one ring buffer (from 0.18). */
  readonly transport: 'perf buffer' | 'ring buffer'
  /** What `nsecs` is: the monotonic clock in 0.11, the boot-time clock from 0.12 on. */
  readonly clock: 'monotonic' | 'boottime'
  /** Names of the trampoline hooks; null: this version has none that works. */
  readonly fentry: { readonly entry: string; readonly exit: string } | null
  /**
   * Raw tracepoints: 0.17 refuses them, 0.23 takes every one, 0.27 only those that it finds in the kernel's list of functions
   * (measured; the versions between were not tried).
   */
  readonly rawTracepoint: 'any' | 'listed' | null
  /** uptr() marks a user-space pointer; 0.11 has no such thing and reads both kinds alike. */
  readonly userPointer: string
  /**
   * 0.11.3's compiler lets a struct read and the key of a following map share a place on the stack, and may store the key before
   * it has loaded what was read (seen in the bytecode). A call between the two keeps their order.
   */
  readonly needsBarriers: boolean
  /** BEGIN and END are uprobes on bpftrace's own symbols below 0.16 and fail on stripped builds. */
  readonly hasEnd: boolean
  /**
   * What bpftrace does with an attach point that the kernel refuses, where a program has several: to 0.23 it says a warning, leaves it
   * out and goes on; from 0.21 on `missing_probes` can forbid that, and from 0.24 on it is forbidden (src/attached_probe.cpp).
   */
  readonly whenRefused: 'warns' | 'warns unless told' | 'fails'
  /** `on_stack_limit` says how large an object may be that is put together on the stack (from 0.22). */
  readonly canKeepOnStack: boolean
  /** Items of a list that fit: strings live on the 512-byte BPF stack below 0.22. */
  readonly listItems: number
}

const first: Dialect = {
  since: '0.11.0',
  token: 'number',
  programFrom: 'file',
  ownTypes: true,
  flags: [],
  strlenVariable: 'BPFTRACE_STRLEN',
  keysVariable: 'BPFTRACE_MAP_KEYS_MAX',
  pagesVariable: 'BPFTRACE_PERF_RB_PAGES',
  transport: 'perf buffer',
  clock: 'monotonic',
  fentry: null,
  rawTracepoint: null,
  needsBarriers: true,
  userPointer: '',
  hasEnd: false,
  whenRefused: 'warns',
  canKeepOnStack: false,
  listItems: 20,
}

type Change = Partial<Omit<Dialect, 'since'>> & { readonly since: string }

/** Each row changes what the rows before it said. Sources: bpftrace's CHANGELOG, and runs of 0.11.3, 0.17.0, 0.23.2, 0.27.1. */
const changes: readonly Change[] = [
  {
    since: '0.12.0',
    clock: 'boottime',
    programFrom: 'stdin',
    // Warnings are not silenced: one says that an attach point was left out.
    flags: ['-q'],
    userPointer: 'uptr',
    needsBarriers: false,
  },
  { since: '0.15.0', ownTypes: false },
  {
    since: '0.16.0',
    token: 'text',
    fentry: { entry: 'kfunc', exit: 'kretfunc' },
    hasEnd: true,
  },
  { since: '0.18.0', transport: 'ring buffer' },
  {
    since: '0.20.0',
    strlenVariable: 'BPFTRACE_MAX_STRLEN',
    keysVariable: 'BPFTRACE_MAX_MAP_KEYS',
    fentry: { entry: 'fentry', exit: 'fexit' },
  },
  { since: '0.21.0', flags: ['-q', '--no-warnings'], whenRefused: 'warns unless told' },
  { since: '0.22.0', canKeepOnStack: true, listItems: 60 },
  { since: '0.23.0', rawTracepoint: 'any' },
  { since: '0.24.0', rawTracepoint: 'listed', whenRefused: 'fails' },
]

/** The oldest bpftrace that this project drives. */
export const oldestBpftrace = first.since

/** The dialect of a bpftrace version, null when the version is too old. */
export function dialectOf(version: string): Dialect | null {
  if (!isAtLeast(version, first.since)) return null
  return changes
    .filter((change) => isAtLeast(version, change.since))
    .reduce<Dialect>((dialect, change) => ({ ...dialect, ...change }), first)
}

/** One version for each distinct dialect, for tests that render everything in each. */
export const dialectVersions: readonly string[] = [
  first.since,
  ...changes.map((change) => change.since),
]
