import type { AnyFilter } from './filters.ts'
import type { SummaryRequest } from './grouping.ts'

/** What a plan is asked for. */
export interface PlanRequest {
  readonly filters: readonly AnyFilter[]
  readonly params: Readonly<Record<string, number>>
  /** The probe's switches that are on; absent: none. */
  readonly switches?: readonly string[]
  /** Files of the probe's libraries that are not the machine's own; absent: none. */
  readonly libraries?: Readonly<Record<string, string>>
  /** Force a variant by name; null lets the plan choose. */
  readonly variant: string | null
  /** Only variants of this back-end; null lets the plan choose. */
  readonly backend: string | null
  readonly bufferBytes: number | null
  /** Aggregate in the kernel; absent: send every event. */
  readonly summary?: SummaryRequest | null
  /** Where a probe goes that is attached to network interfaces. */
  readonly place?: Place | null
  /** Fields that are to be shown: a variant that can tell them is taken before others. Absent: no certain ones. */
  readonly fields?: readonly string[]
}

/** Interfaces, and the network namespace that has them. */
export interface Place {
  /** Path of the namespace; null: our own. */
  readonly netns: string | null
  readonly interfaces: readonly string[]
}
