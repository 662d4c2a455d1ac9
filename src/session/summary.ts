import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'
import type { OwnerFigures } from './owners.ts'
import type { SessionResult } from './types.ts'
import type { TcpSummary } from './tcp-counters.ts'

/** A run's account, as `--summary-json` writes it. */
export interface RunSummary {
  readonly probe: string
  readonly variant: string
  readonly backend: string
  readonly bpftrace: string | null
  /** Where it ran the program. */
  readonly bcc?: string
  readonly kernel: string
  readonly started: string
  /** From the start of the back-end (`started`), without the look at the host before it; null when it was never attached. */
  readonly attached_after_ms: number | null
  readonly duration_ms: number
  readonly end: string
  readonly account: 'exact' | 'open'
  readonly events: SessionResult['account']['events']
  readonly stray_faults: number
  readonly map_full: number | null
  /** Events that the file for them had no room for; absent for none. */
  readonly unwritten?: number
  /** Values that a summary's histograms, and so its quantiles, lack; absent when events are not counted in the kernel. */
  readonly unplaced_values?: number
  /** Of an aggregated run: events of no group, because a filter asks whose they are and nobody knows; null while it is not known. */
  readonly unowned?: number | null
  /** How far `time` may be off; ktime_ns is exact. */
  readonly clock_error_ns: number
  readonly transport: { readonly kind: string; readonly bytes: number }
  readonly tcp?: TcpSummary
  /** Sockets older than the run: whom /proc told. */
  readonly owners?: OwnerFigures
  /** Attach points that were asked for and not attached, each with the reason. */
  readonly left_out?: readonly string[]
  readonly notes: readonly string[]
}

/** Draws up the summary of a run, with a sentence for everything a reader should know about its figures. */
export function summaryOf(
  plan: Plan,
  facts: HostFacts,
  result: SessionResult,
  { tcp = null, unwritten = 0 }: { readonly tcp?: TcpSummary | null; readonly unwritten?: number },
): RunSummary {
  const { account } = result
  return {
    probe: plan.probe.name,
    variant: plan.variant.name,
    backend: plan.variant.backend,
    bpftrace: facts.bpftrace.version,
    ...(plan.variant.backend === 'bcc' ? { bcc: facts.bcc?.version ?? 'unknown' } : {}),
    kernel: facts.kernel.release,
    started: result.startedAt.toISOString(),
    attached_after_ms: result.attachedAfterMs,
    duration_ms: Math.round(result.ranMs),
    end: result.end,
    account: account.account,
    events: account.events,
    stray_faults: account.stray_faults,
    map_full: account.map_full,
    ...(unwritten === 0 ? {} : { unwritten }),
    ...(plan.summary === null
      ? {}
      : { unplaced_values: result.unplacedValues, unowned: account.unowned }),
    clock_error_ns: result.clockErrorNs,
    transport: { kind: plan.buffers.transport, bytes: plan.buffers.totalBytes },
    ...(tcp === null ? {} : { tcp }),
    ...(result.owners === null ? {} : { owners: result.owners }),
    ...(plan.leftOut.length === 0 ? {} : { left_out: plan.leftOut }),
    notes: [
      ...lossNotes(result, plan),
      ...(unwritten === 0
        ? []
        : [`${unwritten} of the delivered events could not be written: the file ends before them`]),
      ...untypedNotes(result),
      ...ownerNotes(result.owners),
      ...(tcp?.notes ?? []),
    ],
  }
}

function lossNotes(
  { account, unplacedValues }: SessionResult,
  { summary, variant }: Plan,
): readonly string[] {
  const isSummary = summary !== null
  const lost = Object.values(account.events).reduce(
    (sum, each) => sum + Math.max(0, each.lost ?? 0),
    0,
  )
  const full = account.map_full ?? 0
  return [
    ...(lost === 0
      ? []
      : [
          isSummary && account.account === 'open'
            ? `${lost} events are in no group: the last groups could not be read`
            : isSummary
              ? `${lost} events are in no group: the kernel's map of groups was full; fewer fields in --by, or more filters, help`
              : `events were lost because the kernel buffer was full: a larger --buffer${variant.backend === 'tracefs' ? ' helps' : ' or more filters help'}`,
        ]),
    ...(full === 0
      ? []
      : [
          `${full} times a map of the program was full: that many connections or owners could not be kept`,
        ]),
    ...(!isSummary || (account.unowned ?? 0) === 0
      ? []
      : [
          `${account.unowned} events are in no group: a filter asks for a process, and theirs is not known (a connection from before the run, or a packet that is no connection's); without the filter they are counted`,
        ]),
    ...(unplacedValues === 0
      ? []
      : [
          `${unplacedValues} values are in no histogram, and in no quantile: the kernel's map of buckets was full; fewer fields in --by, or more filters, help`,
        ]),
  ]
}

function untypedNotes({ untypedLines }: SessionResult): readonly string[] {
  return untypedLines === 0
    ? []
    : [
        `${untypedLines} lines of output are no events: no printf of the script that could be typed made them`,
      ]
}

function ownerNotes(owners: OwnerFigures | null): readonly string[] {
  if (owners === null) return []
  const { forbidden, left_out: leftOut, sockets } = owners
  return [
    ...(forbidden === 0
      ? []
      : [
          `owners of sockets older than the run are not told: /proc/PID/fd of ${forbidden} processes may not be read`,
        ]),
    ...(leftOut === 0
      ? []
      : [
          `owners of ${leftOut} sockets older than the run are not told: only ${sockets} can be kept`,
        ]),
  ]
}
