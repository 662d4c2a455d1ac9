import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { AnyEvent } from '../schema/define.ts'

/** TCP counters of one network namespace (Tcp: lines of /proc/PID/net/snmp), as they grew during the run. */
export interface NamespaceCounters {
  readonly netns: number
  /** RetransSegs: segments sent again, SYN-ACKs and failed attempts included. */
  readonly retransmitted_segments: number
  /** OutSegs: segments sent. */
  readonly sent_segments: number
  /** Events of ours in this namespace. */
  readonly seen: number
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
  end(): TcpSummary
}

interface Counters {
  readonly retransmitted: number
  readonly sent: number
}

/** Between two looks at the counters while events come. */
const lookMs = 500
const mostAddresses = 10_000
const shownAddresses = 10

/** Reads the counters of every namespace that a process lives in, at begin and end, and tallies events in between. */
export function observeTcp(): TcpObserver {
  let before = new Map<number, Counters>()
  // Namespaces come and go during a run: one that was not there at the beginning began at 0.
  const latest = new Map<number, Counters>()
  let timer: NodeJS.Timeout | null = null
  let isDirty = false
  const look = (): void => {
    isDirty = false
    for (const [netns, counters] of readNamespaces()) latest.set(netns, counters)
  }
  const seen = new Map<number, number>()
  const byAddress = new Map<string, number>()
  let unlisted = 0
  return {
    begin() {
      before = readNamespaces()
      timer = setInterval(() => isDirty && look(), lookMs)
      timer.unref()
    },
    event(event) {
      const { netns, raddr } = event
      isDirty = true
      if (typeof netns === 'number') seen.set(netns, (seen.get(netns) ?? 0) + 1)
      if (typeof raddr !== 'string') return
      if (byAddress.has(raddr) || byAddress.size < mostAddresses)
        byAddress.set(raddr, (byAddress.get(raddr) ?? 0) + 1)
      else unlisted += 1
    },
    end() {
      if (timer !== null) clearInterval(timer)
      look()
      const namespaces = [...latest].flatMap(([netns, now]) => {
        const then = before.get(netns) ?? { retransmitted: 0, sent: 0 }
        const counters = {
          netns,
          retransmitted_segments: now.retransmitted - then.retransmitted,
          sent_segments: now.sent - then.sent,
          seen: seen.get(netns) ?? 0,
        }
        return counters.retransmitted_segments > 0 || counters.seen > 0 ? [counters] : []
      })
      const ranked = [...byAddress].sort(([, a], [, b]) => b - a)
      return {
        namespaces,
        by_raddr: Object.fromEntries(ranked),
        notes: [...namespaces.map(namespaceNote), ...addressNotes(ranked, unlisted)],
      }
    },
  }
}

/** The Tcp counters in the text of a net/snmp file: a line of names and a line of values. Null without them. */
export function readSnmp(text: string): Counters | null {
  const [names, values] = text
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '))
  const value = (name: string): number => Number(values?.[names?.indexOf(name) ?? -1] ?? Number.NaN)
  const counters = { retransmitted: value('RetransSegs'), sent: value('OutSegs') }
  return Number.isNaN(counters.retransmitted) || Number.isNaN(counters.sent) ? null : counters
}

function readNamespaces(): Map<number, Counters> {
  const found = new Map<number, Counters>()
  for (const pid of listing('/proc').filter((name) => /^\d+$/.test(name))) {
    const netns = Number(
      /^net:\[(\d+)\]$/.exec(attempt(() => readlinkSync(`/proc/${pid}/ns/net`)))?.[1] ?? 0,
    )
    if (netns === 0 || found.has(netns)) continue
    const counters = readSnmp(attempt(() => readFileSync(`/proc/${pid}/net/snmp`, 'utf8')))
    if (counters !== null) found.set(netns, counters)
  }
  return found
}

function namespaceNote(each: NamespaceCounters): string {
  const share =
    each.sent_segments > 0
      ? ` (${((100 * each.retransmitted_segments) / each.sent_segments).toFixed(2)} %)`
      : ''
  return `namespace ${each.netns}: the kernel counted ${each.retransmitted_segments} retransmitted of ${each.sent_segments} sent segments${share}, we saw ${each.seen}`
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

function listing(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Processes come and go while they are read. */
function attempt(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
