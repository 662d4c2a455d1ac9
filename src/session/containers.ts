import { type BigIntStats, type Dirent, readdirSync, statSync } from 'node:fs'
import type { ProbeSpec } from '../schema/define.ts'
import type { Containers } from '../wire/containers.ts'
import { containerOf } from './container-names.ts'

/** Cgroups that are remembered, and looked at in one go. */
const mostCgroups = 32_768
const leastPauseMs = 100
/** Looking takes at most this part of a CPU. */
const share = 0.01

export interface FollowedContainers extends Containers {
  /** Looks at all cgroups, so that those are known which are gone when their events are read. */
  look(): void
  /** Looks again if the last look is long enough ago. */
  lookIfDue(): void
}

export interface ContainerOptions {
  /** Where cgroup v2 is mounted; null: nowhere. */
  readonly root: string | null
  /** Told once for each cgroup of a container that was asked for. */
  found?(cgroup: string, container: string): void
}

/** Whether a run has to know containers. */
export function showsContainers({ events }: Pick<ProbeSpec, 'events'>): boolean {
  return Object.values(events).some(({ fields }) =>
    Object.values(fields).some(({ kind }) => kind === 'container'),
  )
}

/**
 * Containers of this host, by the names that their runtimes give to their cgroups. The id of a cgroup is the inode of its
 * folder, and is not used again while the system runs. One that is not known is looked for at once, all in one go; what such
 * a look costs is spread over the time.
 */
export function followContainers(options: ContainerOptions): FollowedContainers {
  const root = options.root
  const known = new Map<string, string | null>()
  const told = new Set<string>()
  let lookedAt = Number.NEGATIVE_INFINITY
  let tookMs = 0

  const look = (): void => {
    if (root === null) return
    const before = process.cpuUsage()
    const cgroups = readCgroups(root, mostCgroups)
    for (const [cgroup, path] of cgroups) known.set(cgroup, containerOf(path))
    // A group can be of a cgroup that is gone: those are forgotten when there are too many, the oldest first.
    for (const cgroup of known.keys()) {
      if (known.size <= 2 * mostCgroups) break
      if (!cgroups.has(cgroup)) known.delete(cgroup)
    }
    lookedAt = performance.now()
    const { user, system } = process.cpuUsage(before)
    tookMs = (user + system) / 1000
  }
  const isDue = (): boolean =>
    performance.now() - lookedAt >= Math.max(leastPauseMs, tookMs / share)

  return {
    look,
    lookIfDue() {
      if (isDue()) look()
    },
    nameOf(cgroup) {
      if (!known.has(cgroup) && isDue()) look()
      const container = known.get(cgroup) ?? null
      if (container !== null && !told.has(cgroup)) {
        told.add(cgroup)
        options.found?.(cgroup, container)
      }
      return container
    },
  }
}

/** Ids of cgroups to their paths below the mount, those nearest to it first, at most as many as `most`. */
function readCgroups(root: string, most: number): ReadonlyMap<string, string> {
  const cgroups = new Map<string, string>()
  const paths = ['']
  for (const path of paths) {
    if (cgroups.size >= most) break
    const folder = stat(root + path)
    if (folder === null) continue
    cgroups.set(String(folder.ino), path)
    // Itself and its name: there is nothing below it but the files of each cgroup, which are many.
    if (folder.nlink === 2n) continue
    for (const entry of list(root + path)) {
      if (entry.isDirectory() && paths.length < most) paths.push(`${path}/${entry.name}`)
    }
  }
  return cgroups
}

/** Null for one that is gone. Names are read as latin1, one character a byte. */
function stat(path: string): BigIntStats | null {
  try {
    return statSync(Buffer.from(path, 'latin1'), { bigint: true })
  } catch {
    return null
  }
}

function list(path: string): readonly Dirent[] {
  try {
    return readdirSync(Buffer.from(path, 'latin1'), { withFileTypes: true, encoding: 'latin1' })
  } catch {
    return []
  }
}
