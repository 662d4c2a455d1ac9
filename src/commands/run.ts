import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { closeSync } from 'node:fs'
import { loadProbe } from '../catalog/load.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import { parseFilters } from '../plan/params.ts'
import {
  type LoadedProbe,
  makePlan,
  type Plan,
  type PlanRequest,
  questionsOf,
} from '../plan/plan.ts'
import { selectFields } from '../schema/columns.ts'
import type { EndReason, Session, SessionResult } from '../session/session.ts'
import { sinks, type SinkName } from '../sinks/index.ts'
import { lifecycleRecords } from './lifecycle.ts'
import { type Io, probeHelp } from './help.ts'
import { hostNames } from '../host/names.ts'
import { parseCount, parseSize, parseTime } from './options.ts'
import {
  openFile,
  openForWriting,
  type Output,
  outputError,
  type OutputEvents,
  openStdout,
  writeAll,
} from './output.ts'
import { only, optionsOf, type Parsed, parseOptions } from './parse.ts'
import { createReporter } from './report.ts'
import { openRecorder } from './recorder.ts'
import { type RunSummary, summaryOf } from '../session/summary.ts'

/** Where linux/types.h for old bpftrace stands in the package. */
export const typesFolder = fileURLToPath(new URL('../backends/include/', import.meta.url))

/** The parsed command line of one run. */
export interface RunRequest {
  readonly probe: LoadedProbe
  readonly parsed: Parsed
  readonly plan: PlanRequest
  readonly output: SinkName
  readonly fields: readonly string[] | null
  readonly durationMs: number | null
  readonly count: number | null
  readonly drainMs: number
  readonly attachTimeoutMs: number
  readonly maxLost: number | null
  readonly out: string | null
  readonly record: string | null
  readonly summaryJson: string | null
}

/** `ebpf-run PROBE …`: returns the exit status. Throws EbpfRunError for everything that keeps it from running. */
export async function runProbe(typed: string, argv: readonly string[], io: Io): Promise<number> {
  const probe = await loadProbe(typed)
  const request = readRequest(probe, argv)
  if (request === null) {
    io.stdout(probeHelp(probe.spec, io.columns))
    return exitCodes.ok
  }
  const [facts, { startSession }] = await Promise.all([
    gather(probe, io.env),
    import('../session/session.ts'),
  ])
  const plan = makePlan(probe, request.plan, facts)
  return follow(request, plan, facts, io, startSession)
}

/** Reads and checks the whole command line before anything is started; null when help was asked for. */
export function readRequest(probe: LoadedProbe, argv: readonly string[]): RunRequest | null {
  const options = optionsOf(probe.spec)
  const parsed = parseOptions(argv, options)
  if (parsed.help) return null
  if (parsed.positional.length > 0 || argv.includes('--')) {
    throw new EbpfRunError({
      code: 'USAGE',
      message: `${probe.spec.name} takes options only`,
      found: parsed.positional[0] ?? '--',
      remedy: `ebpf-run ${probe.spec.name} --help`,
    })
  }
  const text = (name: string) => only(parsed, name, options)
  const when = <T>(name: string, read: (flag: string, value: string) => T): T | null => {
    const value = text(name)
    return value === null ? null : read(name, value)
  }
  if (parsed.flags['failed'] && parsed.flags['ok']) {
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: '--failed and --ok exclude each other',
      remedy: 'give one of them, or none for both',
    })
  }
  const outcome = parsed.flags['failed'] ? 'failed' : parsed.flags['ok'] ? 'ok' : null
  const output = (text('output') ?? 'table') as SinkName
  if (parsed.flags['lifecycle'] && output !== 'ndjson') {
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: '--lifecycle goes with -o ndjson',
      found: `-o ${output}`,
      remedy: 'add -o ndjson',
    })
  }
  const fields = when('fields', (_, value) => value.split(',').map((name) => name.trim()))
  selectFields(probe.spec, fields)
  refuseSameFile(['out', 'record', 'summary-json'], text)
  const params = Object.entries(probe.spec.params ?? {}).map(([name, param]) => {
    const value = parseCount(name, text(name) ?? String(param.default), param.min)
    if (value > param.max)
      throw new EbpfRunError({
        code: 'BAD_VALUE',
        message: `--${name}: at most ${param.max} was expected`,
        found: String(value),
      })
    return [name, value] as const
  })
  return {
    probe,
    parsed,
    plan: {
      filters: parseFilters(probe.spec, parsed.texts, outcome, hostNames),
      params: Object.fromEntries(params),
      variant: text('variant'),
      bufferBytes: when('buffer', parseSize),
    },
    output,
    fields,
    durationMs: when('duration', parseTime),
    count: when('count', (flag, value) => parseCount(flag, value, 1)),
    drainMs: when('drain', parseTime) ?? 5_000,
    attachTimeoutMs: when('attach-timeout', parseTime) ?? 60_000,
    maxLost: when('max-lost', (flag, value) => parseCount(flag, value, 0)),
    out: text('out'),
    record: text('record'),
    summaryJson: text('summary-json'),
  }
}

/** Two outputs in one file would write over each other. Throws CONFLICT. */
function refuseSameFile(names: readonly string[], text: (name: string) => string | null): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const value = text(name)
    if (value === null || value.startsWith('/dev/')) continue
    const other = seen.get(resolve(value))
    seen.set(resolve(value), name)
    if (other === undefined) continue
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `--${other} and --${name} are the same file`,
      found: value,
      remedy: `give --${name} another file`,
    })
  }
}

/** The facts that a plan for this probe needs. */
export async function gather(probe: LoadedProbe, env: NodeJS.ProcessEnv): Promise<HostFacts> {
  const { gatherFacts } = await import('../host/gather.ts')
  return gatherFacts(questionsOf(probe), { env })
}

/** Starts the session, connects it with its sink, signals and reports, and waits for its end. */
async function follow(
  request: RunRequest,
  plan: Plan,
  facts: HostFacts,
  io: Io,
  startSession: typeof import('../session/session.ts').startSession,
): Promise<number> {
  const { parsed, probe } = request
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
  const sink = sinks[request.output](out, {
    probe: probe.spec,
    fields: request.fields,
    header: parsed.flags['header'] ?? true,
    utc: parsed.flags['utc'] ?? false,
  })
  const reporter = createReporter({
    io,
    plan,
    quiet: parsed.flags['quiet'] ?? false,
    verbose: parsed.flags['verbose'] ?? false,
    tableOnTerminal: out.isTerminal,
  })
  const lifecycle = parsed.flags['lifecycle'] ? lifecycleRecords(plan, out) : null
  const observe = plan.probe.tcpCounters
    ? (await import('../session/tcp-counters.ts')).observeTcp()
    : null
  const slowDown = watchBackpressure(out, () => session)

  sink.begin()
  // Before the status line, which would stand in front of it.
  out.flush()
  const running = startSession({
    plan,
    facts,
    typesFolder,
    consumer: {
      event(event) {
        reporter.clear()
        observe?.event(event)
        sink.event(event)
        slowDown()
      },
      ...(sink.takesLines && observe === null && request.fields === null
        ? {
            lines(text: string) {
              sink.lines(text)
              slowDown()
            },
          }
        : {}),
    },
    watcher: {
      state(state) {
        reporter.state(state)
        if (state !== 'attached') return
        observe?.begin()
        lifecycle?.attached()
      },
      log: (line, from) => reporter.log(line, from),
      ...(recorder === null
        ? {}
        : { begin: recorder.begin, bytes: recorder.bytes, clock: recorder.clock }),
    },
    durationMs: request.durationMs,
    count: request.count,
    drainMs: request.drainMs,
    attachTimeoutMs: request.attachTimeoutMs,
  })
  session = running
  // A recording that could not even be begun.
  if (failure !== null) running.stop('stop')
  const signals = relaySignals(running, out)
  reporter.follow(running)
  lifecycle?.start()
  try {
    const result = await settle(running)
    sink.end()
    const summary = summaryOf(plan, facts, result, observe?.end() ?? null)
    lifecycle?.end(summary)
    recorder?.close(summary)
    if (summaryFile !== null) writeSummary(summaryFile, summary, events)
    // The account is told now: a reader that sleeps may keep us waiting.
    out.flush()
    reporter.end(result, summary.notes)
    const waiting = setTimeout(() => reporter.waiting(), 1_000)
    await out.close()
    clearTimeout(waiting)
    if (result.error !== null) throw result.error
    if (failure !== null) throw failure
    return signals.forced() ?? exitStatus(request, result)
  } finally {
    signals.release()
    reporter.close()
    if (summaryFile !== null) closeSync(summaryFile)
  }
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

function exitStatus(request: RunRequest, result: SessionResult): number {
  if (request.maxLost === null) return exitCodes.ok
  const lost = Object.values(result.account.events).reduce(
    (sum, each) => sum + Math.abs(each.lost ?? 0),
    0,
  )
  if (result.account.account === 'exact' && lost <= request.maxLost) return exitCodes.ok
  throw new EbpfRunError({
    code: 'LOST_EVENTS',
    message: 'more events were lost than --max-lost allows',
    expected: `at most ${request.maxLost}, and an exact account`,
    found: `${lost} lost, account ${result.account.account}`,
    remedy: 'a larger --buffer, or filters that the kernel applies',
  })
}

/** Asks the output after each write whether it is behind. */
function watchBackpressure(out: Output, session: () => Session | null): () => void {
  return () => {
    if (!out.write('')) session()?.pause()
  }
}

const signalEnds: readonly (readonly [NodeJS.Signals, EndReason, number])[] = [
  ['SIGINT', 'interrupt', 2],
  ['SIGTERM', 'terminate', 15],
  ['SIGHUP', 'hangup', 1],
]

/**
 * First signal: the normal end. Second: at once, with 128 + its number. Before attach every signal ends it so, and after the
 * end, when only the reader of the output keeps us.
 */
function relaySignals(session: Session, out: Output): { release(): void; forced(): number | null } {
  let count = 0
  let forced: number | null = null
  let isAttached = false
  let isOver = false
  void session.attached.then(
    () => (isAttached = true),
    () => {},
  )
  void session.ended.catch(() => {}).then(() => (isOver = true))
  const handlers = signalEnds.map(([signal, reason, number]) => {
    const handler = (): void => {
      count += 1
      if (count === 1 && isAttached && !isOver) {
        session.stop(reason)
        return
      }
      forced = 128 + number
      session.force()
      out.abandon()
    }
    process.on(signal, handler)
    return () => process.removeListener(signal, handler)
  })
  return { release: () => handlers.forEach((remove) => remove()), forced: () => forced }
}
