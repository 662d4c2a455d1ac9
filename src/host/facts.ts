import type { MarkPlace } from './usdt.ts'

/** A thing we looked at: yes, no, or could not tell; always with what was seen. */
export interface Fact {
  readonly is: 'yes' | 'no' | 'unknown'
  readonly evidence: string
}

/** One field of a tracepoint's format file. */
export interface TracepointField {
  readonly name: string
  /** C type as the file spells it, without the name: `__u8`, `const void *`, `__data_loc char[]`. */
  readonly type: string
  /** Array length, 0 for none. */
  readonly length: number
  readonly offset: number
  readonly size: number
  /** Number to name, where the print format spells the field's values. The numbers shift between kernels. */
  readonly names?: Readonly<Record<number, string>>
}

/** Where a member path of a struct lies, from BTF. */
export interface BtfMember {
  /** Bytes from the start of the struct. */
  readonly offset: number
  /** Bytes of the member. */
  readonly size: number
  readonly signed: boolean
  /** Array length in elements of `size / length` bytes, 0 for a scalar or pointer. */
  readonly length: number
  /** Of a bit-field: how far its lowest bit is from that of the number of `size` bytes, and how many bits it has. */
  readonly bits?: { readonly shift: number; readonly width: number }
}

/** What a plan asks of the host before it can choose: everything that the probe's variants mention. */
export interface Questions {
  /** `sock:inet_sock_set_state` */
  readonly tracepoints: readonly string[]
  readonly functions: readonly string[]
  /** Variables: `avenrun` */
  readonly symbols?: readonly string[]
  readonly libraryFunctions?: readonly { readonly library: string; readonly function: string }[]
  /** `sock.__sk_common.skc_num` */
  readonly members: readonly string[]
}

/** A shared library of this machine. */
export interface LibraryFacts {
  /** null: none was found. */
  readonly path: string | null
  /** Function to whether the library offers it. */
  readonly functions: Readonly<Record<string, Fact>>
  /** Marks that were asked for, `PROVIDER:NAME`, to the places where they stand; absent: nobody asked for one. */
  readonly marks?: Readonly<Record<string, readonly MarkPlace[]>>
}

/** What this machine can do. Plain data: a recording carries it, tests write it by hand. */
export interface HostFacts {
  readonly kernel: { readonly release: string; readonly machine: string; readonly version: string }
  readonly cpus: number
  /** Bytes; the smaller of the machine's memory and the cgroup's limit. */
  readonly memoryBytes: number
  /** Root, or the capabilities that tracing needs. */
  readonly privileged: Fact
  /** Tracefs readable at /sys/kernel/tracing or /sys/kernel/debug/tracing; `no` means: mount one privately. */
  readonly tracefs: Fact
  /** It is readable below /sys/kernel/debug, where older tools look alone. Absent in recordings from before. */
  readonly tracefsInDebugfs?: Fact
  readonly btf: Fact
  readonly kprobes: Fact
  readonly fentry: Fact
  readonly lockdown: Fact
  readonly jit: Fact
  /** In the initial pid namespace: pids of the kernel are pids of ours. */
  readonly hostPidNamespace: Fact
  readonly bpftrace: {
    readonly found: Fact
    readonly path: string | null
    /** `0.17.0`, null when it could not be read. */
    readonly version: string | null
    /** What installs it on this distribution; only where there is none. */
    readonly install?: string
  }
  /** A Python with bcc; absent: nobody looked, because a bpftrace variant works. Looking means to start Python. */
  readonly bcc?: {
    readonly found: Fact
    readonly python: string | null
    readonly version: string | null
  }
  /** Headers of the running kernel, as bcc looks for them; absent: nobody looked. */
  readonly headers?: Fact
  /** Variable of the kernel to whether its address is known; absent: nobody looked. */
  readonly symbols?: Readonly<Record<string, Fact>>
  readonly tools: { readonly setpriv: string | null; readonly unshare: string | null }
  /** Tracepoint to its fields; null: the kernel has no such tracepoint; absent: not asked or could not be read. */
  readonly tracepoints: Readonly<Record<string, readonly TracepointField[] | null>>
  /** Function to whether it can be hooked. */
  readonly functions: Readonly<Record<string, Fact>>
  /** Function to whether BTF describes it, without which fentry cannot hook it (a kprobe can). */
  readonly btfFunctions?: Readonly<Record<string, Fact>>
  /** Whether uprobes can be attached; absent in recordings of versions that did not ask. */
  readonly uprobes?: Fact
  /** `libc` to where it is; absent: not asked. */
  readonly libraries?: Readonly<Record<string, LibraryFacts>>
  /** Member path to its place; null: BTF has no such member; absent: not asked or no BTF. */
  readonly members: Readonly<Record<string, BtfMember | null>>
}

/** Those that tell whether a tracepoint or a function can be attached to. */
export type HookFacts = Pick<
  HostFacts,
  'bpftrace' | 'tracepoints' | 'kprobes' | 'fentry' | 'functions' | 'btfFunctions'
>
