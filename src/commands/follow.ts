import { closeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import { findUser, sudoCaller } from '../host/users.ts'
import type { Plan } from '../plan/plan.ts'
import { type Command, startCommand } from '../session/command.ts'
import type { startSession } from '../session/session.ts'
import type { Session, SessionResult, Unshown } from '../session/types.ts'
import { type RunSummary, summaryOf } from '../session/summary.ts'
import type { TcpObserver } from '../session/tcp-counters.ts'
import { selectFields } from '../schema/columns.ts'
import type { AnyEvent, ProbeSpec } from '../schema/define.ts'
import { summaryProbe, summaryRanks } from '../schema/summary.ts'
import { groupTable } from '../sinks/group-table.ts'
import { histogramSink } from '../sinks/histogram.ts'
import { sinkOf } from '../sinks/index.ts'
import type { SinkFactory } from '../sinks/sink.ts'
import { unshownNotes } from '../sinks/status.ts'
import { exitStatus, statusOf } from './exit-status.ts'
import { withPath } from './find-command.ts'
import { shownGroup } from '../wire/groups.ts'
import type { Io } from './io.ts'
import { lifecycleRecords } from './lifecycle.ts'
import {
  openFile,
  openForWriting,
  type Output,
  outputError,
  type OutputEvents,
  openStdout,
  writeAll,
} from './output.ts'
import { openRecorder } from './recorder.ts'
import { createReporter } from './report.ts'
import { isSet, type RunRequest } from './request.ts'
import { createResolver } from './resolve.ts'
import { relaySignals } from './signals.ts'

/** Where the back-ends' own files stand in the package. */
export const filesFolder = fileURLToPath(new URL('../backends/', import.meta.url))

/** Starts the session, connects it with its sink, signals and reports, and waits for its end. `releaseSignals` is called when it has them. */
export async function follow(
  request: RunRequest,
  plan: Plan,
  facts: HostFacts,
  io: Io,
  start: typeof startSession,
  releaseSignals: () => void,
): Promise<number> {
  const { parsed, probe } = request
  const shown = shownProbe(probe.spec, plan)
  selectFields(shown, request.fields)
  let session: Session | null = null
  let failure: EbpfRunError | null = null
  const events: OutputEvents = {
    onBehind: () => session?.pause(),
    onDrain: () => session?.resume(),
    onClosed: () => session?.stop('output-closed'),
    onFailed(error) {
      failure ??= error
      session?.stop('stop')
    },
  }
  const summaryFile = request.summaryJson === null ? null : openForWriting(request.summaryJson)
  const recorder =
    request.record === null ? null : openRecorder(request.record, plan, facts, events.onFailed)
  const out = request.out === null ? openStdout(io.env, events) : openFile(request.out, events)
  const resolver = request.resolve ? createResolver() : null
  const sink = sinkFor(request, plan)(out, {
    probe: shown,
    fields: request.fields,
    header: !isSet(parsed, 'no-header'),
    utc: isSet(parsed, 'utc'),
    ...(resolver === null ? {} : { shown: resolver.shown }),
  })
  const reporter = createReporter({
    io,
    plan,
    quiet: isSet(parsed, 'quiet'),
    verbose: isSet(parsed, 'verbose'),
    tableOnTerminal: out.isTerminal,
  })
  const lifecycle = isSet(parsed, 'lifecycle') ? lifecycleRecords(plan, out) : null
  const observe = plan.probe.tcpCounters ? await tcpObserver(io.env) : null
  const slowDown = watchBackpressure(out, () => session)

  const unshown: Unshown[] = []
  /** A table of groups with names: those of an interval, and the last ones, which wait until their names are known. */
  const waits = resolver !== null && request.output === 'table' && plan.summary?.histogram === null
  let groups: AnyEvent[] = []
  const last: (readonly AnyEvent[])[] = []
  let hasBegun = false
  /** What never was attached prints nothing: the caller may start it again without a part. */
  const begin = () => {
    hasBegun = true
    // The status line would stand in front of it.
    reporter.clear()
    sink.begin()
    out.flush()
  }
  const command = request.command === null ? null : launch(request, request.command, facts, io)
  const running = start({
    plan,
    facts,
    filesFolder,
    consumer: {
      event(event) {
        reporter.clear()
        observe?.event(event)
        if (waits) groups.push(event)
        else sink.event(event)
        out.mark('event')
        slowDown()
      },
      batch(isEnding, left) {
        if (left.groups > 0) unshown.push(left)
        reporter.clear()
        const came = groups
        groups = []
        if (isEnding && waits) {
          last.push(came)
          return
        }
        for (const each of came) sink.event(each)
        sink.batch?.(isEnding)
        out.flush()
        reporter.restore()
      },
      ...(sink.takesLines && observe === null && request.fields === null
        ? {
            lines(lines: Buffer) {
              sink.lines(lines)
              out.mark('lines')
              slowDown()
            },
          }
        : {}),
    },
    watcher: {
      state(state) {
        if (state === 'attached') begin()
        reporter.state(state)
        if (state !== 'attached') return
        observe?.begin()
        command?.begin()
        lifecycle?.attached()
      },
      log: (line, from) => reporter.log(line, from),
      ...(recorder === null
        ? {}
        : {
            begin: recorder.begin,
            bytes: recorder.bytes,
            clock: recorder.clock,
            owned: recorder.owned,
            container: recorder.container,
          }),
    },
    durationMs: request.durationMs,
    count: request.count,
    top: request.top,
    drainMs: request.drainMs,
    attachTimeoutMs: request.attachTimeoutMs,
    ...(command === null ? {} : { commandPid: command.pid }),
  })
  void command?.exited.then(() => running.stop('command'))
  session = running
  // A recording that could not even be begun.
  if (failure !== null) running.stop('stop')
  const signals = relaySignals(running, out, () => resolver?.close())
  releaseSignals()
  reporter.follow(running)
  lifecycle?.start()
  try {
    const result = await settle(running)
    if (signals.forced() === null && result.end !== 'output-closed')
      await resolver?.learn([...last.flat(), ...groups])
    reporter.clear()
    for (const each of last) {
      for (const group of each) sink.event(group)
      sink.batch?.(true)
    }
    for (const group of groups) sink.event(group)
    if (hasBegun) sink.end()
    // What is still to be written may find no room.
    out.flush()
    const summary = summaryOf(plan, facts, result, {
      tcp: (await observe?.end()) ?? null,
      unwritten: out.unwritten(),
    })
    lifecycle?.end(summary)
    recorder?.close(summary)
    if (summaryFile !== null) writeSummary(summaryFile, summary, events)
    // The account is told now: a reader that sleeps may keep us waiting.
    out.flush()
    reporter.end(result, [
      ...summary.notes,
      ...(hasBegun ? (sink.notes?.() ?? []) : []),
      // Who said how many wants no more.
      ...(parsed.texts['top'] === undefined
        ? unshownNotes(unshown, request.top ?? 0, plan.summary?.intervalMs === null)
        : []),
    ])
    const waiting = setTimeout(() => reporter.waiting(), 1_000)
    await out.close()
    clearTimeout(waiting)
    if (result.error !== null) throw result.error
    if (failure !== null) throw failure
    const status = exitStatus(request.maxLost, result)
    if (command !== null && result.end === 'command') return statusOf(await command.exited)
    return signals.forced() ?? status
  } finally {
    await command?.end()
    signals.release()
    reporter.close()
    resolver?.close()
    if (summaryFile !== null) closeSync(summaryFile)
  }
}

/** Loaded where a probe has a use for it. */
async function tcpObserver(env: Io['env']): Promise<TcpObserver> {
  const { observeTcp } = await import('../session/tcp-counters.ts')
  const { tcpCounterSource } = await import('../host/tcp-counters.ts')
  return observeTcp(tcpCounterSource(env))
}

/** What is put out: events of the probe, or groups of them. */
function shownProbe(spec: ProbeSpec, { summary, probe }: Plan): ProbeSpec {
  if (summary === null) return { ...spec, events: { ...spec.events, ...probe.events } }
  const { groups, histogram, intervalMs } = summary
  return summaryProbe(spec, groups.map(shownGroup), { histogram, repeats: intervalMs !== null })
}

function sinkFor(
  { output, probe, command, parsed, plan }: RunRequest,
  { summary }: Plan,
): SinkFactory {
  if (output !== 'table' || summary === null) return sinkOf(output, probe.spec)
  if (summary.histogram !== null) return histogramSink
  // What a command or a back-end writes comes between our lines, so they would not be where we look for them.
  const isAlone = command === null && !isSet(parsed, 'verbose')
  return groupTable({
    ranks: summaryRanks(
      probe.spec,
      summary.groups.map(shownGroup),
      parsed.texts['by'] === undefined ? [] : plan.summary?.by,
    ),
    redraws: summary.intervalMs !== null && isAlone,
  })
}

/** Starts the command, which waits until the run is attached. Throws BAD_VALUE, COMMAND_FAILED. */
function launch(
  request: RunRequest,
  argv: readonly string[],
  { tools }: HostFacts,
  { env }: Io,
): Command {
  const user = request.as === null ? sudoCaller(env, process.getuid?.() ?? 0) : findUser(request.as)
  if (user === null && request.as !== null)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: '--as: a user name or id in /etc/passwd was expected',
      found: JSON.stringify(request.as),
      remedy: 'getent passwd',
    })
  // Ours carries the events.
  const stdout = request.out === null ? 2 : 1
  const words = user === null ? withPath(argv, env) : argv
  return startCommand({ argv: words, user, stdout, setpriv: tools.setpriv, env })
}

function writeSummary(fd: number, summary: RunSummary, events: OutputEvents): void {
  try {
    writeAll(fd, Buffer.from(`${JSON.stringify(summary, null, 2)}\n`))
  } catch (error) {
    events.onFailed(outputError('--summary-json', error))
  }
}

/** A result whether the run ended well or not; a failed one carries its error. */
async function settle(session: Session): Promise<SessionResult & { error: EbpfRunError | null }> {
  try {
    return { ...(await session.ended), error: null }
  } catch (error) {
    if (error instanceof EbpfRunError && 'result' in error) {
      return { ...(error.result as SessionResult), error }
    }
    throw error
  }
}

/** Asks the output after each write whether it is behind. */
function watchBackpressure(out: Output, session: () => Session | null): () => void {
  return () => {
    if (!out.write('')) session()?.pause()
  }
}
