import type { Account, EventAccount } from './account.ts'
import type { Counters } from './counters.ts'
import type { RecordLayout } from './layout.ts'

/** What the account still needs from outside when it is drawn up. */
export interface SnapshotOptions {
  /** The final counts were read after the last event; with the end mark among them the account is exact. */
  readonly final: boolean
  readonly counters: Counters
}

/** The figures of a run as they grow. Unknown event types throw: they are a bug. */
export interface Tally {
  /** Records that became an event. */
  received(type: string, count?: number): void
  delivered(type: string, count?: number): void
  filtered(type: string, count?: number): void
  afterEnd(type: string, count?: number): void
  /** A record that did not become an event counts as received as well; null when its type is unknown. */
  fault(type: string | null): void
  /** Sets what the kernel never handed to the program; null when no counter tells. */
  missed(type: string, count: number | null): void
  snapshot(options: SnapshotOptions): Account
}

interface Figures {
  received: number
  delivered: number
  filtered: number
  afterEnd: number
  faults: number
  missed: number | null
}

/** The account of a run with these event types, all figures 0 and `missed` not known. */
export function createAccount(
  eventNames: readonly string[],
  layouts: readonly RecordLayout[],
): Tally {
  const figures = new Map(eventNames.map((name) => [name, noFigures()]))
  let strayFaults = 0
  const of = (type: string): Figures => {
    const found = figures.get(type)
    if (!found) throw new Error(`no event type ${type} in this run`)
    return found
  }
  const codeOf = (type: string) =>
    layouts.find((layout) => layout.event === type && layout.part === undefined)?.code ?? ''

  return {
    received(type, count = 1) {
      of(type).received += count
    },
    delivered(type, count = 1) {
      of(type).delivered += count
    },
    filtered(type, count = 1) {
      of(type).filtered += count
    },
    afterEnd(type, count = 1) {
      of(type).afterEnd += count
    },
    fault(type) {
      if (type === null) {
        strayFaults += 1
        return
      }
      of(type).received += 1
      of(type).faults += 1
    },
    missed(type, count) {
      of(type).missed = count
    },
    snapshot({ final, counters }) {
      const isExact = final && counters.marks > 0
      const entries = [...figures].map(([type, counted]) => {
        // A map that nothing was counted in is not printed: once all were, none there means 0.
        const emitted = counters.emitted(codeOf(type)) ?? (isExact ? 0 : null)
        return [type, eventAccount(counted, emitted)] as const
      })
      return {
        account: isExact ? 'exact' : 'open',
        events: Object.fromEntries(entries),
        stray_faults: strayFaults,
        map_full: counters.full ?? (isExact ? 0 : null),
        unowned: counters.unowned ?? (isExact ? 0 : null),
      }
    },
  }
}

function noFigures(): Figures {
  return { received: 0, delivered: 0, filtered: 0, afterEnd: 0, faults: 0, missed: null }
}

function eventAccount(counted: Figures, emitted: number | null): EventAccount {
  return {
    emitted,
    received: counted.received,
    delivered: counted.delivered,
    filtered: counted.filtered,
    after_end: counted.afterEnd,
    lost: emitted === null ? null : emitted - counted.received,
    faults: counted.faults,
    missed: counted.missed,
  }
}
