import type { TcpCounters, TcpCounterSource } from '../host/tcp-counters.ts'
import { resultOf } from '../schema/csv.ts'
import type { AnyEvent } from '../schema/define.ts'

/** TCP counters of one network namespace as they grew during the run; null where what is the run's cannot be told. */
export interface NamespaceCounters {
  readonly netns: number
  /** RetransSegs: segments that were to be sent again, SYN-ACKs and failed attempts included. */
  readonly retransmitted_segments: number | null
  /** TCPRetransFail: those of them that could not be sent. */
  readonly failed_segments: number | null
  /** OutSegs: segments sent. */
  readonly sent_segments: number | null
  /** Events of ours in this namespace. */
  readonly seen: number
  /** Those of them that say that sending failed; null where they do not say whether it did. */
  readonly seen_failed: number | null
}

export interface TcpSummary {
  readonly namespaces: readonly NamespaceCounters[]
  /** Events by remote address, most first. */
  readonly by_raddr: Readonly<Record<string, number>>
  readonly notes: readonly string[]
}

export interface TcpObserver {
  begin(): void
  event(event: AnyEvent): void
  end(): Promise<TcpSummary>
}

/** What is known of one namespace's counters. */
export interface Track {
  readonly first: TcpCounters
  readonly latest: TcpCounters
  /** `first` is from the run's beginning. */
  readonly fromBeginning: boolean
  /** It was gone, or its counters fell: the inode of a namespace that ended is given to a later one. */
  readonly isBroken: boolean
}

/** Events of one namespace. */
export interface Seen {
  readonly all: number
  readonly failed: number
  /** Without a result. */
  readonly untold: number
}

const leastPauseMs = 500
/** Looking takes at most this part of the time. */
const share = 0.01
/** Namespaces without a process, each of which takes a program to read, and how many of these run at once. */
const mostBound = 256
const atOnce = 8
const mostAddresses = 10_000
const shownAddresses = 10

/**
 * Reads the counters of every namespace that a process lives in or that is mounted somewhere, at begin and end, and tallies
 * events in between. Namespaces that are new are looked for all the time: what counts from 0 on is the run's.
 */
export function observeTcp(source: TcpCounterSource): TcpObserver {
  const tracks = new Map<number, Track>()
  const seen = new Map<number, Seen>()
  const byAddress = new Map<string, number>()
  let unlisted = 0
  let timer: NodeJS.Timeout | null = null
  let looking = Promise.resolve()
  let isEnded = false

  const note = (netns: number, now: TcpCounters, fromBeginning: boolean): void => {
    tracks.set(netns, followed(tracks.get(netns), now, fromBeginning))
  }
  const look = async (place: 'beginning' | 'between' | 'end'): Promise<void> => {
    const bound = source.bound()
    const ofProcesses = source.ofProcesses()
    for (const [netns, track] of tracks)
      if (!bound.has(netns) && !ofProcesses.has(netns)) tracks.set(netns, broken(track))
    for (const [netns, now] of ofProcesses) note(netns, now, place === 'beginning')
    const unread = [...bound]
      .filter(([netns]) => !ofProcesses.has(netns) && (place === 'end' || !tracks.has(netns)))
      .slice(0, mostBound)
    await each(unread, atOnce, async ([netns, path]) => {
      const now = await source.ofBound(path)
      const track = tracks.get(netns)
      if (now !== null) note(netns, now, place === 'beginning')
      else if (track !== undefined) tracks.set(netns, broken(track))
    })
  }
  const lookOn = (place: 'beginning' | 'between'): void => {
    const started = performance.now()
    looking = look(place).then(() => {
      if (isEnded) return
      const pauseMs = Math.max(leastPauseMs, (performance.now() - started) / share)
      timer = setTimeout(() => lookOn('between'), pauseMs)
      timer.unref()
    })
  }

  return {
    begin: () => lookOn('beginning'),
    event(event) {
      const { netns, raddr } = event
      if (typeof netns === 'number') seen.set(netns, withEvent(seen.get(netns), event))
      if (typeof raddr !== 'string') return
      if (byAddress.has(raddr) || byAddress.size < mostAddresses)
        byAddress.set(raddr, (byAddress.get(raddr) ?? 0) + 1)
      else unlisted += 1
    },
    async end() {
      isEnded = true
      if (timer !== null) clearTimeout(timer)
      await looking
      await look('end')
      const namespaces = [...new Set([...tracks.keys(), ...seen.keys()])].flatMap((netns) =>
        countersOf(netns, tracks.get(netns), seen.get(netns)),
      )
      const ranked = [...byAddress].sort(([, a], [, b]) => b - a)
      return {
        namespaces,
        by_raddr: Object.fromEntries(ranked),
        notes: [...namespaces.map(namespaceNote), ...addressNotes(ranked, unlisted)],
      }
    },
  }
}

/** What is known after another look. */
export function followed(
  before: Track | undefined,
  now: TcpCounters,
  fromBeginning: boolean,
): Track {
  if (before === undefined) return { first: now, latest: now, fromBeginning, isBroken: false }
  const { latest } = before
  const fell =
    now.retransmitted < latest.retransmitted || now.failed < latest.failed || now.sent < latest.sent
  return { ...before, latest: now, isBroken: before.isBroken || fell }
}

/** What is told of a namespace: nothing of one where nothing was sent again, as far as that is known. */
export function countersOf(
  netns: number,
  track: Track | undefined,
  { all, failed, untold }: Seen = { all: 0, failed: 0, untold: 0 },
): readonly NamespaceCounters[] {
  const grew = track === undefined ? 0 : track.latest.retransmitted - track.first.retransmitted
  if (all === 0 && grew <= 0) return []
  const retransmitted = growth(track, 'retransmitted')
  return [
    {
      netns,
      retransmitted_segments: retransmitted,
      failed_segments: growth(track, 'failed'),
      sent_segments: growth(track, 'sent'),
      seen: all,
      seen_failed: untold > 0 ? null : failed,
    },
  ]
}

/** How much of a counter is the run's. A counter that was 0 when it was first read had counted nothing before the run. */
function growth(track: Track | undefined, counter: keyof TcpCounters): number | null {
  if (track === undefined || track.isBroken) return null
  const { first, latest, fromBeginning } = track
  return fromBeginning || first[counter] === 0 ? latest[counter] - first[counter] : null
}

function broken(track: Track): Track {
  return { ...track, isBroken: true }
}

function withEvent(
  { all, failed, untold }: Seen = { all: 0, failed: 0, untold: 0 },
  { result }: AnyEvent,
): Seen {
  const code = resultOf(result)?.code ?? null
  return {
    all: all + 1,
    failed: failed + (code !== null && code < 0 ? 1 : 0),
    untold: untold + (code === null ? 1 : 0),
  }
}

/** Calls a function for each, so many at a time. */
async function each<T>(
  all: readonly T[],
  atATime: number,
  call: (one: T) => Promise<void>,
): Promise<void> {
  const left = all.values()
  const worker = async (): Promise<void> => {
    for (const one of left) await call(one)
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}

function namespaceNote(each: NamespaceCounters): string {
  const { retransmitted_segments: retransmitted, sent_segments: sent } = each
  const share =
    retransmitted !== null && sent !== null && sent > 0
      ? ` (${((100 * retransmitted) / sent).toFixed(2)} %)`
      : ''
  const counted =
    retransmitted === null
      ? 'what the kernel counted in this run is not known, because the namespace was new to us or ended'
      : `the kernel counted ${retransmitted} retransmitted${sent === null ? ' segments' : ` of ${sent} sent segments`}${share}`
  return `namespace ${each.netns}: ${counted}${failures(each.failed_segments)}; we saw ${each.seen}${failures(each.seen_failed)}`
}

function failures(count: number | null): string {
  return count === null || count === 0 ? '' : `, ${count} of them failed`
}

function addressNotes(
  ranked: readonly (readonly [string, number])[],
  unlisted: number,
): readonly string[] {
  if (ranked.length === 0) return []
  const top = ranked.slice(0, shownAddresses).map(([address, count]) => `${address} ${count}`)
  const rest =
    ranked.length > shownAddresses ? `, and ${ranked.length - shownAddresses} more addresses` : ''
  const over =
    unlisted > 0 ? `, and ${unlisted} events of addresses past the first ${mostAddresses}` : ''
  return [`by remote address: ${top.join(', ')}${rest}${over}`]
}
