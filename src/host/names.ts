import { statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { readHost } from './read.ts'
import { findUser } from './users.ts'

/** How a name that is no number becomes one. */
export interface Names {
  /** User name to id; null when there is none. */
  user(name: string): number | null
  /** Path below /sys/fs/cgroup, or absolute, to the cgroup's id. */
  cgroup(path: string): bigint | null
  /** `ip netns` name, path or pid's namespace to its inode. */
  netns(name: string): number | null
  /** Name of a block device below /dev to its `MAJOR:MINOR`. */
  device(name: string): string | null
}

/** Users, cgroups and network namespaces of this host, read when a filter names one. */
export const hostNames: Names = {
  user: (name) => (/^\d/.test(name) ? null : (findUser(name)?.uid ?? null)),
  cgroup(path) {
    const inode = inodeOf(
      isAbsolute(path) && path.startsWith('/sys/fs/cgroup') ? path : join('/sys/fs/cgroup', path),
    )
    return inode === null ? null : BigInt(inode)
  },
  netns: (name) => inodeOf(isAbsolute(name) ? name : join('/run/netns', name)),
  device: (name) => {
    const file = readHost(`/sys/class/block/${name}/dev`)
    return 'text' in file ? file.text.trim() : null
  },
}

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino
  } catch {
    return null
  }
}
