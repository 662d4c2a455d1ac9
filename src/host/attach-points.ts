/** How an attach point is named first: `kprobe:tcp_connect`. */
export const attachTypes = ['tracepoint', 'rawtracepoint', 'kprobe', 'fentry', 'syscall'] as const
export type AttachType = (typeof attachTypes)[number]

/** What this kernel offers to hook, by type; functions are sorted by their own names, without the module's. */
export interface AttachPoints {
  /** Name below its type; a function of a module as `nf_nat:nf_nat_setup_info`. */
  readonly names: Readonly<Record<AttachType, readonly string[]>>
  /** Types that could not be seen whole, with the reason. */
  readonly gaps: Readonly<Partial<Record<AttachType, string>>>
  /** Names that several functions have, by /proc/kallsyms. */
  readonly repeated: readonly string[]
}
