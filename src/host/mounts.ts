import { no, yes } from './fact.ts'
import type { Fact } from './facts.ts'

/** One line of /proc/self/mounts. */
export interface Mount {
  readonly type: string
  readonly at: string
  readonly options: readonly string[]
}

/** Text of /proc/self/mounts -> mounts in order; proc(5): space, tab, newline and backslash are octal escapes. */
export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([, at, type, options]) =>
      at === undefined || type === undefined || options === undefined
        ? []
        : [{ type, at: unescapePath(at), options: options.split(',') }],
    )
}

/** Text of /proc/self/mountinfo -> network namespaces that are mounted somewhere, as `ip netns` does: inode to path. */
export function parseBoundNetworks(text: string): Map<number, string> {
  const bound = [...text.matchAll(/^\d+ \d+ \S+ net:\[(\d+)\] (\S+) /gm)]
  return new Map(bound.map(([, inode, at = '']) => [Number(inode), unescapePath(at)]))
}

/** Where tracefs can be read: its usual places in the kernel's documentation (trace/ftrace.rst). */
const tracefsPlaces = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']

/**
 * Mount point of tracefs, null when it is not mounted at a usual place. Looks at the table of mounts only:
 * touching /sys/kernel/debug/tracing would make the kernel mount it (trace_automount in kernel/trace/trace.c).
 */
export function findTracefs(mounts: readonly Mount[]): string | null {
  return tracefsPlaces.find((place) => isMounted(mounts, 'tracefs', place)) ?? null
}

/** Whether tracefs is below /sys/kernel/debug: in a debugfs, which mounts it when somebody looks, or by itself. */
export function judgeDebugfs(mounts: readonly Mount[]): Fact {
  const [place] = [
    ['debugfs', '/sys/kernel/debug'],
    ['tracefs', '/sys/kernel/debug/tracing'],
  ].filter(([type = '', at = '']) => isMounted(mounts, type, at))
  return place === undefined
    ? no('nothing is mounted at /sys/kernel/debug')
    : yes(`${place[0]} at ${place[1]}`)
}

/** True when a file system of that type is the topmost mount at that place. */
export function isMounted(mounts: readonly Mount[], type: string, at: string): boolean {
  return mounts.findLast((mount) => mount.at === at)?.type === type
}

function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  )
}
