import { no, unknown, yes } from './fact.ts'
import type { Fact } from './facts.ts'
import type { Read } from './read.ts'

/** Number of CPUs that are online (a list such as `0-3,8`), 1 when it cannot be read. */
export function readOnlineCpus(read: Read): number {
  const file = read('/sys/devices/system/cpu/online')
  return 'errno' in file ? 1 : countList(file.text.trim())
}

/** `0-3,8` -> 5, the list format of Documentation/admin-guide/cputopology.rst. */
function countList(list: string): number {
  const count = list
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0)
  return Number.isInteger(count) && count > 0 ? count : 1
}

/** Whether BPF programs are compiled to machine code (Documentation/admin-guide/sysctl/net.rst, bpf_jit_enable). */
export function readJit(read: Read): Fact {
  const path = '/proc/sys/net/core/bpf_jit_enable'
  const file = read(path)
  if ('errno' in file)
    return file.errno === 'ENOENT' ? no(`${path}: ENOENT`) : unknown(`${path}: ${file.errno}`)
  const evidence = `${path}: ${file.text.trim()}`
  return file.text.trim() === '0' ? no(evidence) : yes(evidence)
}

/** Inode of the initial pid namespace: PROC_PID_INIT_INO in include/linux/proc_ns.h. */
const initialPidNamespace = 'pid:[4026531836]'

/** Whether the pids that the kernel reports are the pids we see. `link` is the target of /proc/self/ns/pid, null if unread. */
export function judgePidNamespace(link: string | null): Fact {
  if (link === null) return unknown('/proc/self/ns/pid could not be read')
  const evidence = `/proc/self/ns/pid: ${link}`
  return link === initialPidNamespace ? yes(evidence) : no(evidence)
}
