import type { HostFacts, LibraryFacts } from '../host/facts.ts'
import type { CStruct } from '../schema/c-struct.ts'
import type { EventSpec } from '../schema/define.ts'
import type { RecordLayout } from '../wire/layout.ts'
import type { AnyFilter } from './filters.ts'
import type { Program } from './render.ts'
import type { SummaryPlan } from './summary.ts'
import type { GroupRequest } from './summary-bcc.ts'
import type { Node } from './template.ts'

/** What a C template is rendered for. */
export interface BccInput {
  readonly where: string
  readonly nodes: readonly Node[]
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
  readonly libraries: Readonly<Record<string, LibraryFacts>>
  readonly members: HostFacts['members']
  readonly options: Readonly<Record<string, boolean>>
  readonly params: Readonly<Record<string, number>>
  readonly filters: readonly AnyFilter[]
  readonly transport: 'perf buffer' | 'ring buffer'
  /** Bytes of the whole ring buffer. */
  readonly ringBytes: number
  readonly mapKeys: number
  /** The variant needs the kernel's headers; without them a program has what bcc itself declares. */
  readonly hasHeaders: boolean
  /** Events are aggregated and not sent. */
  readonly summary: SummaryPlan | null
}

type UserProgram = 'uprobe' | 'uretprobe' | 'usdt'

/** A program that the driver attaches; tracepoints attach themselves. */
export interface Attach {
  readonly kind: 'kprobe' | 'kretprobe' | UserProgram | 'xdp' | 'tcx' | 'tc' | 'socket'
  /** The function or symbol; on an interface the modes or the direction. */
  readonly event: string
  /** Of a shared library. */
  readonly path?: string
  /** Of a mark: where it and its counter lie in the file. */
  readonly places?: readonly { readonly offset: number; readonly counter: number | null }[]
  readonly function: string
  /** Calls under way at a time that a kretprobe can follow; the kernel's own number is about that of the CPUs. */
  readonly instances: number
}

/** What the driver must know beside the text. */
export interface BccProgram extends Program {
  /** Of the records that are sent. */
  readonly structs: readonly (CStruct & { readonly layout: RecordLayout })[]
  readonly groups: readonly GroupRequest[]
  /** The place in the array of counts of each emit. */
  readonly counts: readonly { readonly code: string; readonly site: number; readonly at: number }[]
  /** The place of the count of what did not fit into a map, null when nothing counts that. */
  readonly fullAt: number | null
  /** That of events that are in no group because nobody knows whose they are. */
  readonly unownedAt: number | null
  /** Variables of the kernel whose addresses it needs. */
  readonly symbols: readonly string[]
  readonly attach: readonly Attach[]
}
