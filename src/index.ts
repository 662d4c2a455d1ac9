import { fileURLToPath } from 'node:url'
import type { Builtin } from '../probes/index.ts'
import { loadProbe } from './catalog/load.ts'
import { userProbesOf } from './catalog/user-folder.ts'
import { isAbortSignal, readRunOptions } from './commands/library-options.ts'
import { planOnHost } from './commands/plan-on-host.ts'
import type { RunOptions, SummaryRunOptions } from './commands/run-options.ts'
import type { AnyEvent, EventOf } from './schema/define.ts'
import { EventQueue } from './session/queue.ts'
import { startSession } from './session/session.ts'
import type { Session } from './session/types.ts'
import { type RunSummary, summaryOf } from './session/summary.ts'

export { EbpfRunError, type ErrorCode, errorCodes, exitCodes } from './errors.ts'
export type {
  FilterValue,
  RunOptions,
  SummaryOptions,
  SummaryRunOptions,
} from './commands/run-options.ts'
export type { Builtin } from '../probes/index.ts'
export { defineProbe, type AnyEvent, type EventOf, type ProbeSpec } from './schema/define.ts'
export type { RunSummary } from './session/summary.ts'
export type { Account, EventAccount } from './wire/account.ts'
export { bigintOf, bytesOf } from './wire/access.ts'

export type ProbeName = keyof Builtin

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

/** Without a type of events it must be a probe of the catalogue, so that a mistyped name does not compile. */
type Named<Event> = [Event] extends [never] ? never : string

/**
 * Runs a probe. The events have the probe's own type; with `summary` they are groups, which have the fields that were asked for.
 * A consumer that is slower than the kernel slows the reading; what the kernel then drops is in the account.
 * Errors (EbpfRunError) come through the iterator, `attached` and `summary` alike. An option that the probe does not have
 * (UNKNOWN_OPTION), or a value that the command line would not take (BAD_VALUE), starts nothing.
 */
export function run(name: ProbeName, options: SummaryRunOptions): Run<AnyEvent>
export function run<N extends ProbeName>(name: N, options?: RunOptions): Run<EventOf<Builtin[N]>>
/** A probe of the user's own, with the type of its events: what `ebpf-run types NAME` prints, or AnyEvent. */
export function run<Event extends { readonly event: string } = never>(
  name: Named<Event>,
  options?: RunOptions | SummaryRunOptions,
): Run<Event>
export function run(name: string, options: RunOptions | SummaryRunOptions = {}): Run<AnyEvent> {
  let session: Session | null = null
  let isStopped = false
  const queue = new EventQueue<AnyEvent>({
    onBehind: () => session?.pause(),
    onDrained: () => session?.resume(),
  })
  // One that is no signal is refused with the other options.
  const signal = isAbortSignal(options?.signal) ? options.signal : null
  const starting = begin()
  const attached = starting.then((started) => started.session.attached)
  const summary = starting.then(async ({ plan, facts, session: running }) => {
    const result = await running.ended
    return summaryOf(plan, facts, result, {})
  })
  attached.catch(() => {})

  const stop = async (): Promise<RunSummary> => {
    isStopped = true
    session?.stop('stop')
    return summary
  }
  const abort = (): void => void stop().catch(() => {})
  signal?.addEventListener('abort', abort, { once: true })
  // A signal may outlive many runs.
  const end = (error: unknown): void => {
    signal?.removeEventListener('abort', abort)
    queue.end(error)
  }
  summary.then(() => end(null), end)

  return {
    attached,
    summary,
    stop,
    [Symbol.asyncIterator]: () => queue.iterator(async () => void (await stop().catch(() => {}))),
    [Symbol.asyncDispose]: async () => void (await stop()),
  }

  async function begin() {
    const isAllowed = options?.allowUserProbes === true
    const probe = await loadProbe(String(name), userProbesOf(process.env, isAllowed))
    const request = readRunOptions(probe.spec, options)
    const { facts, plan } = await planOnHost(probe, request.plan, process.env)
    session = startSession({
      plan,
      facts,
      filesFolder,
      // The decoder made this event from the same definition that its type is made from.
      consumer: { event: (event) => queue.push(event) },
      watcher: {},
      ...request.session,
    })
    if (isStopped || signal?.aborted) session.stop('stop')
    return { plan, facts, session }
  }
}
