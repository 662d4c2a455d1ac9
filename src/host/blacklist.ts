import { readHost, type Reading } from './read.ts'

/** Functions that no kprobe is let into (kernel/kprobes.c); absent where debugfs is not mounted, or the kernel has no kprobes. */
export const readBlacklist = (): Reading => readHost('/sys/kernel/debug/kprobes/blacklist')

/** Lines are `0x...-0x...\tname` (kernel/kprobes.c, kprobe_blacklist_seq_show). */
export function parseBlacklist(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').flatMap((line) => line.split('\t')[1] || []))
}
