import { isMounted, type Mount } from './mounts.ts'
import type { Read } from './read.ts'

/** Bytes this process may use, and where the figure comes from. */
export interface Memory {
  readonly bytes: number
  readonly evidence: string
}

/** The smaller of MemTotal and the limits of our cgroup and its ancestors, as far as they are visible. */
export function readMemory(read: Read, mounts: readonly Mount[]): Memory {
  const limits = [readTotal(read), ...readLimits(read, mounts)].filter((limit) => limit !== null)
  return limits.reduce((least, limit) => (limit.bytes < least.bytes ? limit : least), {
    bytes: Number.MAX_SAFE_INTEGER,
    evidence: 'no limit was visible',
  })
}

function readTotal(read: Read): Memory | null {
  const file = read('/proc/meminfo')
  const kib = 'text' in file ? /^MemTotal:\s*(\d+) kB$/m.exec(file.text)?.[1] : undefined
  return kib === undefined
    ? null
    : { bytes: Number(kib) * 1024, evidence: 'MemTotal of /proc/meminfo' }
}

/** Which file has the limit, by version of the cgroup interface (cgroup-v2.rst; cgroup-v1/memory.rst). */
const interfaces = [
  { type: 'cgroup2', option: null, controller: '', file: 'memory.max' },
  { type: 'cgroup', option: 'memory', controller: 'memory', file: 'memory.limit_in_bytes' },
] as const

function readLimits(read: Read, mounts: readonly Mount[]): (Memory | null)[] {
  const own = read('/proc/self/cgroup')
  if ('errno' in own) return []
  const groups = own.text.split('\n').map((line) => line.split(':'))
  return interfaces.flatMap(({ type, option, controller, file }) => {
    const mount = mounts.find(
      (m) =>
        m.type === type &&
        isMounted(mounts, type, m.at) &&
        (option === null || m.options.includes(option)),
    )
    const path = groups.find(([, names = '']) => names.split(',').includes(controller))?.[2]
    if (mount === undefined || path === undefined) return []
    return ancestors(path).map((folder) => readLimit(read, `${mount.at}${folder}/${file}`))
  })
}

function readLimit(read: Read, path: string): Memory | null {
  const file = read(path)
  const digits = 'text' in file ? /^\d+$/.exec(file.text.trim())?.[0] : undefined
  return digits === undefined ? null : { bytes: Number(digits), evidence: path }
}

/** `/a/b` -> `/a/b`, `/a` and the root, written as an empty text. */
function ancestors(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '')
  return [...parts.keys(), parts.length].reverse().map((count) =>
    parts
      .slice(0, count)
      .map((part) => `/${part}`)
      .join(''),
  )
}
