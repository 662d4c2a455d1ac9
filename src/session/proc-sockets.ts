import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import type { Owner } from '../wire/owner.ts'

/** A descriptor of a process. */
export interface Holder {
  readonly pid: number
  readonly fd: number
}

/** What one look at every process's descriptors found. */
export interface HeldSockets {
  /** Inode of a socket to who holds it; null: several processes do. */
  readonly holders: ReadonlyMap<number, Holder | null>
  /** Sockets that were too many. */
  readonly leftOut: number
  /** Processes whose descriptors may not be read: who else holds a socket cannot be told then. */
  readonly forbidden: number
  /** Time spent reading, without the pauses. */
  readonly tookMs: number
}

/** After so much reading, others get their turn. */
const sliceMs = 4

/**
 * Looks at the descriptors of all processes, and keeps sockets of every kind: what kind one is, the link does not say. Stops
 * when nobody wants the result any more.
 */
export async function readHeldSockets(
  most: number,
  isWanted: () => boolean = () => true,
): Promise<HeldSockets> {
  const holders = new Map<number, Holder | null>()
  let leftOut = 0
  let forbidden = 0
  let tookMs = 0
  let from = performance.now()
  const keep = (inode: number, pid: number, fd: number): void => {
    const known = holders.get(inode)
    if (known === undefined && holders.size >= most) leftOut += 1
    else if (known === undefined) holders.set(inode, { pid, fd })
    else if (known !== null && known.pid !== pid) holders.set(inode, null)
  }
  for (const pid of list('/proc') ?? []) {
    if (!isWanted()) break
    const descriptors = list(`/proc/${pid}/fd`)
    if (descriptors === null) forbidden += 1
    for (const fd of descriptors ?? []) {
      const inode = socketAt(pid, fd)
      if (inode !== null) keep(inode, pid, fd)
      if (performance.now() - from < sliceMs) continue
      tookMs += performance.now() - from
      await new Promise(setImmediate)
      if (!isWanted()) break
      from = performance.now()
    }
  }
  return { holders, leftOut, forbidden, tookMs: tookMs + performance.now() - from }
}

/** Inode of the socket behind a descriptor; null when there is none, or no such descriptor any more. */
export function socketAt(pid: number, fd: number): number | null {
  try {
    const link = readlinkSync(`/proc/${pid}/fd/${fd}`)
    return link.startsWith('socket:[') ? Number(link.slice('socket:['.length, -1)) : null
  } catch {
    return null
  }
}

/** What the kernel's side would have kept of a process. What cannot be read is null. */
export function readOwner(pid: number): Owner {
  const comm = readBytes(`/proc/${pid}/comm`)
  const uid = /^Uid:\t(\d+)/m.exec(readBytes(`/proc/${pid}/status`) ?? '')?.[1]
  return {
    pid,
    uid: uid === undefined ? null : Number(uid),
    comm: comm === null ? null : comm.replace(/\n$/, ''),
    cgroup: cgroupOf(readBytes(`/proc/${pid}/cgroup`) ?? ''),
  }
}

/** Where version 2 may be mounted: alone, or beside version 1. */
const cgroupRoots = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
const cgroup2Magic = 0x63677270

/** Where version 2 is mounted; null: where nobody looks for it, or nowhere. */
export function cgroupRoot(): string | null {
  const isOne = (path: string): boolean => {
    try {
      return statfsSync(path).type === cgroup2Magic
    } catch {
      return false
    }
  }
  return cgroupRoots.find(isOne) ?? null
}

/** The id of the cgroup (version 2) in the text of /proc/PID/cgroup. A path that leaves our namespace has none here. */
function cgroupOf(text: string): string | null {
  const path = /^0::(\/.*)$/m.exec(text)?.[1]
  if (path === undefined || path.split('/').includes('..')) return null
  try {
    const root = cgroupRoot()
    if (root === null) return null
    return String(statSync(Buffer.from(root + path, 'latin1'), { bigint: true }).ino)
  } catch {
    return null
  }
}

/** The numbers in a folder; null when it may not be read. */
function list(folder: string): readonly number[] | null {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger)
  } catch (error) {
    const isForbidden =
      error instanceof Error && 'code' in error && ['EACCES', 'EPERM'].includes(String(error.code))
    // A process that is gone holds nothing.
    return isForbidden ? null : []
  }
}

function readBytes(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null
  }
}
