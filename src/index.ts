import { fileURLToPath } from 'node:url'
import type { Builtin } from '../probes/index.ts'
import { loadProbe } from './catalog/load.ts'
import { userProbesOf } from './catalog/user-folder.ts'
import { planOnHost } from './commands/plan-on-host.ts'
import { hostNames } from './host/names.ts'
import { parseFilters } from './plan/params.ts'
import { parseParams } from './plan/probe-params.ts'
import { parsePlace, requirePlace } from './plan/place.ts'
import type { AnyEvent, EventOf } from './schema/define.ts'
import { EventQueue } from './session/queue.ts'
import type { Place } from './plan/plan.ts'
import { startSession } from './session/session.ts'
import type { Session } from './session/types.ts'
import { type RunSummary, summaryOf } from './session/summary.ts'

export { EbpfRunError, type ErrorCode, errorCodes, exitCodes } from './errors.ts'
export type { Builtin } from '../probes/index.ts'
export { defineProbe, type AnyEvent, type EventOf, type ProbeSpec } from './schema/define.ts'
export type { RunSummary } from './session/summary.ts'
export type { Account, EventAccount } from './wire/account.ts'
export { bigintOf, bytesOf } from './wire/access.ts'

export type ProbeName = keyof Builtin

/** One value of a filter: `443`, `'8000-8100'`, `'10.0.0.0/8'`, `'!22'`. */
export type FilterValue = string | number

/** What a run takes: the filters of the command line under the same names, and how long. */
export interface RunOptions {
  readonly pid?: readonly FilterValue[]
  readonly comm?: readonly string[]
  readonly uid?: readonly FilterValue[]
  readonly lport?: readonly FilterValue[]
  readonly rport?: readonly FilterValue[]
  readonly laddr?: readonly string[]
  readonly raddr?: readonly string[]
  readonly saddr?: readonly string[]
  readonly daddr?: readonly string[]
  readonly sport?: readonly FilterValue[]
  readonly dport?: readonly FilterValue[]
  readonly protocol?: readonly FilterValue[]
  readonly family?: readonly FilterValue[]
  readonly cgroup?: readonly FilterValue[]
  readonly container?: readonly string[]
  /** For a probe that is attached to interfaces: the one namespace that has them, by path or name. */
  readonly netns?: readonly FilterValue[]
  /** The network interfaces that such a probe is attached to. */
  readonly interface?: readonly string[]
  /** `failed`: only what failed; `ok`: only what did not. */
  readonly outcome?: 'failed' | 'ok'
  /** The probe's own options, as they are typed: `{ min: '10ms' }`. */
  readonly params?: Readonly<Record<string, FilterValue>>
  /** The probe's own switches that are on, such as `['stack']` of tcpdrop. */
  readonly switches?: readonly string[]
  /** Force a way of doing it. */
  readonly variant?: string
  /** Only variants of this back-end. */
  readonly backend?: string
  /** Counted from attached. */
  readonly durationMs?: number
  readonly count?: number
  readonly drainMs?: number
  readonly attachTimeoutMs?: number
  /** Total output buffer in the kernel. */
  readonly bufferBytes?: number
  /** Ends the run in good order. */
  readonly signal?: AbortSignal
  /** As root, also a probe in a folder of the user's that others than root can change. */
  readonly allowUserProbes?: boolean
}

/** A run: iterate it for its events, or wait for its summary. */
export interface Run<Event> extends AsyncIterable<Event>, AsyncDisposable {
  /** Resolves when everything is attached. No unhandled rejection when only the iterator is used. */
  readonly attached: Promise<void>
  /** Resolves with the account when the run has ended; rejects with EbpfRunError when it failed. */
  readonly summary: Promise<RunSummary>
  /** Ends the run in good order and resolves with its account. */
  stop(): Promise<RunSummary>
}

const filesFolder = fileURLToPath(new URL('./backends/', import.meta.url))
const defaults = { drainMs: 5_000, attachTimeoutMs: 60_000 }

/** Without a type of events it must be a probe of the catalogue, so that a mistyped name does not compile. */
type Named<Event> = [Event] extends [never] ? never : string

/**
 * Runs a probe. The events have the probe's own type. A consumer that is slower than the kernel slows the reading; what the
 * kernel then drops is in the account. Errors (EbpfRunError) come through the iterator, `attached` and `summary` alike.
 */
export function run<N extends ProbeName>(name: N, options?: RunOptions): Run<EventOf<Builtin[N]>>
/** A probe of the user's own, with the type of its events: what `ebpf-run types NAME` prints, or AnyEvent. */
export function run<Event extends { readonly event: string } = never>(
  name: Named<Event>,
  options?: RunOptions,
): Run<Event>
export function run(name: string, options: RunOptions = {}): Run<AnyEvent> {
  let session: Session | null = null
  let isStopped = false
  const queue = new EventQueue<AnyEvent>({
    onBehind: () => session?.pause(),
    onDrained: () => session?.resume(),
  })
  const starting = begin()
  const attached = starting.then((started) => started.session.attached)
  const summary = starting.then(async ({ plan, facts, session: running }) => {
    const result = await running.ended
    return summaryOf(plan, facts, result, {})
  })
  attached.catch(() => {})
  summary.then(
    () => queue.end(null),
    (error: unknown) => queue.end(error),
  )

  const stop = async (): Promise<RunSummary> => {
    isStopped = true
    session?.stop('stop')
    return summary
  }
  options.signal?.addEventListener('abort', () => void stop().catch(() => {}), { once: true })

  return {
    attached,
    summary,
    stop,
    [Symbol.asyncIterator]: () => queue.iterator(async () => void (await stop().catch(() => {}))),
    [Symbol.asyncDispose]: async () => void (await stop()),
  }

  async function begin() {
    const probe = await loadProbe(name, userProbesOf(process.env, options.allowUserProbes ?? false))
    const filters = parseFilters(probe.spec, textsOf(options), options.outcome ?? null, hostNames)
    const place = placeOf(options)
    requirePlace(probe.spec, place)
    const { facts, plan } = await planOnHost(
      probe,
      {
        filters,
        params: parseParams(probe.spec, paramTexts(options.params ?? {})),
        switches: options.switches ?? [],
        variant: options.variant ?? null,
        backend: options.backend ?? null,
        bufferBytes: options.bufferBytes ?? null,
        place,
      },
      process.env,
    )
    session = startSession({
      plan,
      facts,
      filesFolder,
      // The decoder made this event from the same definition that its type is made from.
      consumer: { event: (event) => queue.push(event) },
      watcher: {},
      durationMs: options.durationMs ?? null,
      count: options.count ?? null,
      drainMs: options.drainMs ?? defaults.drainMs,
      attachTimeoutMs: options.attachTimeoutMs ?? defaults.attachTimeoutMs,
    })
    if (isStopped || options.signal?.aborted) session.stop('stop')
    return { plan, facts, session }
  }
}

function placeOf({ interface: names, netns = [] }: RunOptions): Place | null {
  return names === undefined ? null : parsePlace(names, netns.map(String), hostNames)
}

const filterNames = [
  'pid',
  'comm',
  'uid',
  'lport',
  'rport',
  'laddr',
  'raddr',
  'saddr',
  'daddr',
  'sport',
  'dport',
  'protocol',
  'family',
  'cgroup',
  'container',
  'netns',
] as const

function textsOf(options: RunOptions): Record<string, readonly string[]> {
  return Object.fromEntries(
    filterNames.flatMap((flag) => {
      const values = options[flag]
      return values === undefined ? [] : [[flag, values.map(String)] as const]
    }),
  )
}

function paramTexts(values: Readonly<Record<string, FilterValue>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
