import type { Backend } from '../backends/backend.ts'
import { type AnyFilter, eventPasses, fieldsOfFilters, type NumberOf } from '../plan/filters.ts'
import { numberOfFields } from '../plan/numbers.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Account } from '../wire/account.ts'
import { createCounters } from '../wire/counters.ts'
import { createDecoder } from '../wire/decoder.ts'
import { type Owner, withOwner } from '../wire/owner.ts'
import { createAccount } from '../wire/tally.ts'
import { followContainers, showsContainers } from './containers.ts'
import { createPulse } from './deferred.ts'
import type { GroupRow } from '../wire/group-rows.ts'
import { followGroups } from './groups.ts'
import { followOwners, type OwnerFigures } from './owners.ts'
import { cgroupRoot } from './proc-sockets.ts'
import type { SessionOptions } from './types.ts'

/** What the intake needs of a run. */
export interface IntakeOptions {
  readonly run: Pick<SessionOptions, 'plan' | 'facts' | 'consumer' | 'watcher' | 'count' | 'top'>
  readonly token: string
  readonly readNotice: Backend['readNotice']
  /** What is added to the kernel's clock for the wall clock's time. */
  readonly clock: { readonly offsetNs: bigint }
  /** The kernel's clock, not too early. */
  readonly kernelNow: () => bigint
  /** The programs are at work: a heartbeat came, or an event of a script, which may end itself before the first one. */
  readonly alive: () => void
  /** As many events were delivered as were asked for. */
  readonly enough: () => void
}

/** What a back-end prints, on its way to the consumer: decoded, told whose it is, filtered, counted. */
export interface Intake {
  push(chunk: Buffer): void
  /** There are no more bytes. */
  end(): void
  /** From here on each event is looked at by itself. */
  setStopping(): void
  /** The kernel's clock when the gate was closed, null while it is open. */
  readonly closedAt: bigint | null
  /** Where there is no gate: what the kernel does after that is not of this run. */
  closeAt(ktime: bigint): void
  /** Nothing is left in the kernel's maps: the dump behind the gate was read, or there are no maps. */
  readonly isDumped: boolean
  /** Puts out what was counted since the last dump. */
  dump(ktime: bigint): void
  /** The same at the end, with what waited for something that was to come. */
  dumpRest(): void
  /** Looks up who holds which socket. */
  lookForOwners(): void
  lookForContainers(): void
  /** The same figure for all event types; null: not known. */
  missed(count: number | null): void
  account(isFinal: boolean): Account
  /** How often the kernel's counts were read to their end. */
  readonly marks: number
  /** Resolves when they were read the next time, or after this time. */
  nextCount(mostMs: number): Promise<void>
  /** Losses that the back-end told of, and lines that are no records. */
  readonly lostHint: number
  readonly untypedLines: number
  readonly unplacedValues: number
  ownerFigures(): OwnerFigures | null
  close(): void
}

export function createIntake({
  run: { plan, facts, consumer, watcher, count: mostEvents, top },
  token,
  readNotice,
  clock,
  kernelNow,
  alive,
  enough,
}: IntakeOptions): Intake {
  const counters = createCounters(token)
  const tally = createAccount(Object.keys(plan.probe.events), plan.layouts)
  const lateFilters = plan.filters
    .filter((each) => each.applied !== 'kernel')
    .map((each) => each.filter)
  const numberOf = numberOfFields(plan.probe)
  const isScript = plan.probe.script !== undefined
  const counts = createPulse()
  let closedAt: bigint | null = null
  let isStopping = false
  let deliveredCount = 0
  let lostHint = 0
  let untypedLines = 0

  const containers = followContainers({
    root: showsContainers(plan.probe) ? cgroupRoot() : null,
    found: (cgroup, container) => watcher.container?.(cgroup, container),
  })
  const owners = followOwners(plan, facts, kernelNow)
  /** What a recording keeps of a chunk: place of an event in the run to its owner. */
  let owned: [number, Owner][] = []
  let place = 0
  const join = (event: AnyEvent): AnyEvent => {
    const owner = owners?.ownerOf(event) ?? null
    if (owner !== null) owned.push([place, owner])
    place += 1
    return owner === null ? event : withOwner(event, owner, containers)
  }
  const tellOwned = (): void => {
    if (owned.length > 0) watcher.owned?.(owned)
    owned = []
  }

  const take = (decoded: AnyEvent, type: string): void => {
    if (isScript) alive()
    tally.received(type)
    const event = join(decoded)
    if (isLate(event)) tally.afterEnd(type)
    else if (!passes(lateFilters, event, numberOf)) tally.filtered(type)
    else {
      tally.delivered(type)
      deliveredCount += 1
      consumer.event(event)
      if (deliveredCount === mostEvents) enough()
    }
  }
  const isLate = (event: AnyEvent): boolean => {
    const isBehindEnd =
      closedAt !== null &&
      typeof event['ktime_ns'] === 'string' &&
      BigInt(event['ktime_ns']) > closedAt
    // Behind the gate only a script's END has something to say.
    if (isBehindEnd) return !(isScript && plan.canGate)
    return mostEvents !== null && deliveredCount >= mostEvents
  }

  let isDumped = plan.summary === null
  const judgedBy = new Set(plan.summary?.groups.flatMap(({ keys }) => keys.map(({ name }) => name)))
  const groupFilters = lateFilters.filter((filter) =>
    fieldsOfFilters([filter]).every((name) => judgedBy.has(name)),
  )
  const summary =
    plan.summary === null
      ? null
      : followGroups(plan.summary, {
          ...{ token, clock, containers },
          judge: {
            isWanted: (group) => passes(groupFilters, group, numberOf),
            refused: (type, count) => {
              tally.received(type, count)
              tally.filtered(type, count)
            },
          },
        })
  const groupsContainers =
    plan.summary?.groups.some(({ keys }) => keys.some(({ spec }) => spec.kind === 'container')) ===
    true
  const dump = (ktime: bigint): void => putOut(summary?.dump(ktime) ?? [])
  const putOut = (rows: readonly GroupRow[]): void => {
    for (const { type, count } of rows) {
      tally.received(type, count)
      tally.delivered(type, count)
    }
    const shown = top ?? rows.length
    for (const { event } of rows.slice(0, shown)) consumer.event(event)
    const rest = rows.slice(shown)
    const events = rest.reduce((sum, { count }) => sum + count, 0)
    // Nothing at the very end takes away nothing that was shown.
    if (rows.length > 0 || !isStopping)
      consumer.batch?.(isStopping, { groups: rest.length, events })
  }

  const wantsLines =
    summary === null &&
    owners === null &&
    !isScript &&
    consumer.lines !== undefined &&
    lateFilters.length === 0 &&
    mostEvents === null
  const decoder = createDecoder({
    token,
    ...(summary?.records ?? { events: plan.probe.events, layouts: plan.layouts }),
    clock,
    containers,
    mode: wantsLines ? 'ndjson' : 'object',
    handlers: {
      event(event, type) {
        if (summary === null) take(event, type)
        else if (summary.endsDump(event)) {
          dump(BigInt(String(event['ktime_ns'])))
          isDumped = closedAt !== null
        }
      },
      lines(lines, type, count) {
        tally.received(type, count)
        tally.delivered(type, count)
        consumer.lines?.(lines)
      },
      heartbeat(ktime) {
        summary?.begin(BigInt(ktime))
        // A group is named when it is dumped, and its container can be gone then.
        if (groupsContainers) containers.lookIfDue()
        alive()
      },
      end(ktime) {
        closedAt = BigInt(ktime)
      },
      fault: (type) => tally.fault(type),
      other(line) {
        if (summary?.line(line)) return
        const figure = counters.line(line)
        if (figure === 'mark') counts.beat()
        if (figure !== null) return
        const notice = readNotice(line)
        if (notice !== null && typeof notice === 'object') lostHint += notice.lost
        if (notice === null && isScript) untypedLines += 1
        if (notice === null || typeof notice === 'object') watcher.log?.(line, 'stdout')
      },
    },
  })

  return {
    push(chunk) {
      decoder.push(chunk)
      tellOwned()
    },
    end() {
      decoder.end()
      tellOwned()
    },
    setStopping() {
      isStopping = true
      decoder.setMode('object')
    },
    get closedAt() {
      return closedAt
    },
    closeAt(ktime) {
      closedAt = ktime
    },
    get isDumped() {
      return isDumped
    },
    dump,
    dumpRest() {
      putOut(summary?.rest() ?? [])
    },
    lookForOwners() {
      owners?.look()
    },
    lookForContainers() {
      containers.look()
    },
    missed(count) {
      for (const type of Object.keys(plan.probe.events)) tally.missed(type, count)
    },
    account: (isFinal) => tally.snapshot({ final: isFinal, counters }),
    get marks() {
      return counters.marks
    },
    nextCount: counts.next,
    get lostHint() {
      return lostHint
    },
    get unplacedValues() {
      return summary?.unplaced() ?? 0
    },
    get untypedLines() {
      return untypedLines
    },
    ownerFigures: () => owners?.figures() ?? null,
    close() {
      owners?.close()
    },
  }
}

function passes(filters: readonly AnyFilter[], event: AnyEvent, numberOf: NumberOf): boolean {
  return filters.every((filter) => eventPasses(filter, event, numberOf))
}
