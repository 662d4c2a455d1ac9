import { readdir, readFile, readlink } from 'node:fs/promises'
import semver from 'semver'

/**
 * How often the kernel skipped one of a process's BPF programs because another ran on that CPU: the sum of
 * `recursion_misses` in /proc/PID/fdinfo (bpf_prog_show_fdinfo in kernel/bpf/syscall.c). Trampolines count there from 5.12
 * on, tracepoints and kprobes from 6.7 on (trace_call_bpf in kernel/trace/bpf_trace.c); before, and where nothing could be
 * read, the answer is null.
 */
export async function countMisses(
  pid: number,
  hooks: 'trampolines' | 'others',
  kernel: string,
): Promise<number | null> {
  const version = semver.coerce(kernel)
  if (version === null || semver.lt(version, hooks === 'trampolines' ? '5.12.0' : '6.7.0'))
    return null
  const folder = `/proc/${pid}`
  const descriptors = await readdir(`${folder}/fd`).catch(() => [])
  let sum: number | null = null
  for (const descriptor of descriptors) {
    const target = await readlink(`${folder}/fd/${descriptor}`).catch(() => '')
    if (!target.includes('bpf-prog')) continue
    const info = await readFile(`${folder}/fdinfo/${descriptor}`, 'utf8').catch(() => '')
    const misses = /^recursion_misses:\s+(\d+)$/m.exec(info)?.[1]
    if (misses !== undefined) sum = (sum ?? 0) + Number(misses)
  }
  return sum
}
