import type { AnyEvent } from '../schema/define.ts'
import { common } from '../schema/common.ts'
import type { Containers } from './containers.ts'
import { readText } from './texts.ts'

/** Who holds a socket, as /proc shows it. Plain data: a recording keeps it. */
export interface Owner {
  readonly pid: number
  readonly uid: number | null
  /** Bytes of the name, one character a byte; null when it could not be read. */
  readonly comm: string | null
  readonly cgroup: string | null
}

/** The event with the owner that the kernel's side did not know. */
export function withOwner(
  event: AnyEvent,
  { pid, uid, comm, cgroup }: Owner,
  containers: Containers,
): AnyEvent {
  const name = readText(comm ?? '', { bytes: common.comm.bytes, emptyIsNull: true })
  const escaped = name.escaped ? { escaped: [...(event.escaped ?? []), 'comm'] } : {}
  const container = cgroup === null ? null : containers.nameOf(cgroup)
  return { ...event, pid, uid, comm: name.value, cgroup, container, owner_from: 'proc', ...escaped }
}
