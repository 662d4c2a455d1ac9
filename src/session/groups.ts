import type { SummaryPlan } from '../plan/summary.ts'
import type { AnyEvent } from '../schema/define.ts'
import { createAggregates } from '../wire/aggregates.ts'
import type { Containers } from '../wire/containers.ts'
import type { Clock } from '../wire/decoder.ts'
import { createGroupRows, type GroupJudge, type GroupRow } from '../wire/group-rows.ts'
import { recordsOfGroups } from '../wire/groups.ts'

/** What a session that aggregates in the kernel reads of its child. */
export interface GroupReader {
  /** What the decoder is to read: announced texts and ends of dumps. */
  readonly records: ReturnType<typeof recordsOfGroups>
  /** The first interval begins. */
  begin(ktime: bigint): void
  /** Takes a line outside records; false when it is none of a map of ours. */
  line(text: string): boolean
  /** Takes a record; true when a dump is complete. */
  endsDump(event: AnyEvent): boolean
  /** What was counted since the dump before. */
  dump(ktime: bigint): readonly GroupRow[]
  /** Values that are in no histogram, as the last dump tells. */
  unplaced(): number
  /** At the end, what still waits for a text that was to be announced. */
  rest(): readonly GroupRow[]
}

export function followGroups(
  plan: SummaryPlan,
  run: {
    readonly token: string
    readonly clock: Clock
    readonly containers: Containers
    readonly judge: GroupJudge
  },
): GroupReader {
  const aggregates = createAggregates(run.token, plan.groups)
  const rows = createGroupRows(plan.groups, run, plan.histogram, plan.sort)
  let since: bigint | null = null
  return {
    records: recordsOfGroups(plan.groups),
    begin(ktime) {
      since ??= ktime
    },
    line: (text) => aggregates.line(text),
    endsDump(event) {
      if (event.event === 'dump') return true
      rows.text(Number(event.event.slice('text'.length)), String(event['id']), event)
      return false
    },
    dump(ktime) {
      const from = since ?? ktime
      since = ktime
      return rows.rows(aggregates.take(), ktime, from)
    },
    unplaced: aggregates.unplaced,
    rest: rows.rest,
  }
}
