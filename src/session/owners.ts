import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Owner } from '../wire/owner.ts'
import {
  type HeldSockets,
  type Holder,
  readHeldSockets,
  readOwner,
  socketAt,
} from './proc-sockets.ts'

/** What a run found out about owners by /proc, for its account. */
export interface OwnerFigures {
  /** Events whose owner is known by /proc. */
  readonly joined: number
  /** Sockets that processes held at the last look. */
  readonly sockets: number
  /** Sockets that were too many to keep: events of theirs have no owner. */
  readonly left_out: number
  /** Processes whose descriptors may not be read. With any, nobody is named. */
  readonly forbidden: number
}

export interface OwnersByProc {
  /** Looks at who holds which socket, now and again when an event asks for one that was not there. */
  look(): void
  /** The owner of an event whose owner the kernel's side does not know; null when /proc cannot tell for certain. */
  ownerOf(event: AnyEvent): Owner | null
  figures(): OwnerFigures
  close(): void
}

/** Sockets that are kept: 16 MB at most. */
const mostSockets = 131_072
const leastPauseMs = 1_000
/** Looking takes at most this part of the time. */
const share = 0.01

type PlanPart = Pick<Plan, 'probe' | 'variant' | 'summary' | 'filters'>
type FactsPart = Pick<HostFacts, 'hostPidNamespace'>

/** Whether owners cannot be looked up by /proc in this run. */
function isUnfit({ probe, variant, summary, filters }: PlanPart, facts: FactsPart): boolean {
  const hasInode = Object.values(probe.events).some(({ fields }) => 'inode' in fields)
  return (
    probe.owner !== 'socket' ||
    !hasInode ||
    'inode' in variant.cannotTell ||
    // Groups are made in the kernel.
    summary !== null ||
    // Only the kernel knows who descends from the command.
    filters.some(({ filter }) => filter.by === 'command') ||
    facts.hostPidNamespace.is !== 'yes'
  )
}

/**
 * Owners of sockets that the kernel's side did not see opened. A process is named only if it alone held the socket when all
 * descriptors were looked at before the event, and still holds it now, after the event. The socket is told by its inode, which
 * no other socket has, where addresses and ports may be those of a later one. `kernelNow` is the kernel's clock, not too early.
 */
export function followOwners(
  plan: PlanPart,
  facts: FactsPart,
  kernelNow: () => bigint,
): OwnersByProc | null {
  if (isUnfit(plan, facts)) return null
  const nothing: HeldSockets = { holders: new Map(), leftOut: 0, forbidden: 0, tookMs: 0 }
  let latest: Look = { held: nothing, since: 0n }
  // What happened before the latest look and is read after it has the one before.
  let earlier: Look | null = null
  /** Who the holders are, read when one is first named after a look. */
  let named = new Map<number, Owner>()
  let joined = 0
  let isLooking = false
  let isClosed = false
  let lookedAt = 0

  const look = async (): Promise<void> => {
    isLooking = true
    const held = await readHeldSockets(mostSockets, () => !isClosed)
    earlier = latest.held === nothing ? null : latest
    latest = { held, since: kernelNow() }
    named = new Map()
    lookedAt = performance.now()
    isLooking = false
  }
  const lookAgain = (): void => {
    const pauseMs = Math.max(leastPauseMs, latest.held.tookMs / share)
    if (!isLooking && !isClosed && performance.now() - lookedAt >= pauseMs) void look()
  }
  const nameOf = (pid: number): Owner => {
    const known = named.get(pid)
    if (known !== undefined) return known
    const owner = readOwner(pid)
    named.set(pid, owner)
    return owner
  }

  return {
    look() {
      if (!isLooking && !isClosed) void look()
    },
    ownerOf(event) {
      const { inode, ktime_ns: ktime } = event
      if (typeof inode !== 'number' || typeof ktime !== 'string' || event['pid'] !== null)
        return null
      lookAgain()
      const holder = holderAt(inode, BigInt(ktime), latest, earlier)
      if (holder === null) return null
      const owner = nameOf(holder.pid)
      // After its name was read: a number that was given to another process by now does not hold this socket.
      if (socketAt(holder.pid, holder.fd) !== inode) return null
      joined += 1
      return owner
    },
    figures: () => ({
      joined,
      sockets: latest.held.holders.size,
      left_out: latest.held.leftOut,
      forbidden: latest.held.forbidden,
    }),
    close() {
      isClosed = true
    },
  }
}

/** All sockets that were held, and when that was known. */
interface Look {
  readonly held: HeldSockets
  /** The kernel's clock when the look had ended. */
  readonly since: bigint
}

/** Who alone held a socket in the last look before a time; null also where a look after it saw anybody else hold it. */
function holderAt(inode: number, at: bigint, latest: Look, earlier: Look | null): Holder | null {
  const look = at >= latest.since ? latest : earlier
  if (look === null || at < look.since || look.held.forbidden > 0) return null
  const holder = look.held.holders.get(inode) ?? null
  if (look === latest || holder === null) return holder
  const later = latest.held.holders.get(inode)
  if (latest.held.forbidden > 0) return null
  return later === undefined || later?.pid === holder.pid ? holder : null
}
