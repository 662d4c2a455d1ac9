import { readlinkSync, statfsSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { errnoOf, readHost } from './read.ts'
import { findUser } from './users.ts'

/** What the files of a namespace are called below /proc/PID/ns. */
export type NamespaceKind = 'mnt' | 'net' | 'pid'

/** How a name that is no number becomes one. */
export interface Names {
  /** User name to id; null when there is none. */
  user(name: string): number | null
  /** Path below /sys/fs/cgroup, or absolute, to the cgroup's id. */
  cgroup(path: string): bigint | null
  /** Path of a namespace's file, or an `ip netns` name, to the namespace's inode; text says why there is none. */
  namespace(kind: NamespaceKind, name: string): number | string
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
  namespace(kind, name) {
    if (isAbsolute(name)) return namespaceOf(kind, name)
    return kind === 'net' ? namespaceOf(kind, join('/run/netns', name)) : 'no inode and no path'
  },
  device: (name) => {
    const file = readHost(`/sys/class/block/${name}/dev`)
    return 'text' in file ? file.text.trim() : null
  },
}

/** NSFS_MAGIC of include/uapi/linux/magic.h: what files of namespaces are on. */
const nsfsMagic = 0x6e_73_66_73

/** A file below /proc/PID/ns names its kind (namespaces(7)); one that is mounted elsewhere does not. */
function namespaceOf(kind: NamespaceKind, path: string): number | string {
  try {
    const { ino } = statSync(path)
    if (statfsSync(path).type !== nsfsMagic) return 'the file of no namespace'
    const found = /^([a-z]+):\[\d+\]$/.exec(linkOf(path))?.[1]
    return found === undefined || found === kind ? ino : `a namespace of another kind (${found})`
  } catch (error) {
    return errnoOf(error)
  }
}

/** Empty for what is no link. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino
  } catch {
    return null
  }
}
