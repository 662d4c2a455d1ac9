import { launchBpftrace, readNotice } from '../backends/bpftrace.ts'
import { EbpfRunError } from '../errors.ts'
import type { HostFacts } from '../host/facts.ts'
import { type AnyFilter, eventPasses, type NumberOf } from '../plan/filters.ts'
import { numberOfFields } from '../plan/numbers.ts'
import { heartbeatMs } from '../plan/render.ts'
import type { Plan } from '../plan/plan.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Account } from '../wire/account.ts'
import { createCounters } from '../wire/counters.ts'
import { createDecoder } from '../wire/decoder.ts'
import { createAccount } from '../wire/tally.ts'
import { type Child, type Exit, startChild } from './child.ts'
import { calibrate, type Calibration } from './clock.ts'
import { countMisses } from './misses.ts'
import { explainExit } from './stderr.ts'
import { drawToken } from './token.ts'

export type State = 'starting' | 'attached' | 'stopping' | 'ended' | 'failed'

/** Why a run ended. */
export type EndReason =
  | 'duration'
  | 'count'
  | 'interrupt'
  | 'terminate'
  | 'hangup'
  | 'stop'
  | 'output-closed'
  | 'command'

/** Who takes the events. Called in stream order. */
export interface Consumer {
  event(event: AnyEvent): void
  /** Present: takes ready-made NDJSON (latin1 characters that are UTF-8 bytes) instead, where nobody has to look into the events. */
  lines?(text: string): void
}

/** Whoever watches a session: everything is optional, nothing may throw. */
export interface Watcher {
  /** Before anything else; only a recording may keep the token. */
  begin?(token: string): void
  state?(state: State): void
  /** A line of the back-end that is no record: for -v. */
  log?(line: string, from: 'stdout' | 'stderr'): void
  /** Raw bytes as they came, for a recording. */
  bytes?(chunk: Buffer): void
  clock?(calibration: Calibration): void
  warn?(text: string): void
}

export interface SessionOptions {
  readonly plan: Plan
  readonly facts: HostFacts
  readonly typesFolder: string
  readonly consumer: Consumer
  readonly watcher: Watcher
  readonly durationMs: number | null
  readonly count: number | null
  readonly drainMs: number
  readonly attachTimeoutMs: number
  /** How long a child that is told to end may say nothing before it is told harder; default 5 s. */
  readonly silenceMs?: number
}

/** What a run leaves: its account and how it went. */
export interface SessionResult {
  readonly account: Account
  readonly end: EndReason
  readonly startedAt: Date
  readonly attachedAfterMs: number | null
  readonly ranMs: number
  readonly clockErrorNs: number
  /** Sum of the back-end's own "Lost N events" lines: a hint, in no arithmetic. */
  readonly lostHint: number
}

export interface Session {
  readonly pid: number
  /** Resolves when everything is attached; rejects when that fails. */
  readonly attached: Promise<void>
  /** Resolves when the child is gone and the account is closed; rejects when the run failed. */
  readonly ended: Promise<SessionResult>
  /** Ends the run in good order. A second call changes nothing. */
  stop(reason: EndReason): void
  /** Ends it at once: the child is killed and the account stays open. */
  force(): void
  /** Slows the reading while the consumer is behind. */
  pause(): void
  resume(): void
  /** The figures so far: estimates. */
  live(): Account
}

const defaultSilenceMs = 5_000
const recalibrateMs = 10_000

/** Starts a plan's back-end and follows it to its end. */
export function startSession(options: SessionOptions): Session {
  const { plan, facts, consumer, watcher } = options
  const token = drawToken()
  const startedAt = new Date()
  const started = process.hrtime.bigint()
  const counters = createCounters(token)
  const tally = createAccount(Object.keys(plan.probe.events), plan.layouts)
  const clock = { offsetNs: 0n }
  const lateFilters = plan.filters
    .filter((each) => each.applied !== 'kernel')
    .map((each) => each.filter)
  const numberOf = numberOfFields(plan.probe)

  let state: State = 'starting'
  let end: EndReason | null = null
  let endKtime: bigint | null = null
  let failure: Error | null = null
  let attachedAt: bigint | null = null
  let lastByteAt = Date.now()
  let calibration: Calibration | null = null
  let lostHint = 0
  let isForced = false
  let isFinal = false
  let isPaused = false
  /** Called when the kernel's counts were just read. */
  let counted: (() => void) | null = null
  let endedAt: bigint | null = null
  const timers = new Set<NodeJS.Timeout>()

  const attached = deferred<void>()
  const ended = deferred<SessionResult>()
  attached.promise.catch(() => {})
  ended.promise.catch(() => {})

  const setState = (next: State): void => {
    state = next
    watcher.state?.(next)
  }
  const live = (): Account => tally.snapshot({ final: isFinal, counters })

  const take = (event: AnyEvent, type: string): void => {
    tally.received(type)
    if (isLate(event)) tally.afterEnd(type)
    else if (!passes(lateFilters, event, numberOf)) tally.filtered(type)
    else {
      tally.delivered(type)
      deliveredCount += 1
      consumer.event(event)
      if (deliveredCount === options.count) stop('count')
    }
  }
  let deliveredCount = 0
  const isLate = (event: AnyEvent): boolean =>
    (options.count !== null && deliveredCount >= options.count) ||
    (endKtime !== null &&
      typeof event['ktime_ns'] === 'string' &&
      BigInt(event['ktime_ns']) > endKtime)

  const wantsLines =
    consumer.lines !== undefined && lateFilters.length === 0 && options.count === null
  const decoder = createDecoder({
    token,
    events: plan.probe.events,
    layouts: plan.layouts,
    clock,
    mode: wantsLines ? 'ndjson' : 'object',
    handlers: {
      event: take,
      lines(text, type, count) {
        tally.received(type, count)
        tally.delivered(type, count)
        consumer.lines?.(text)
      },
      heartbeat() {
        if (state === 'starting') becomeAttached()
      },
      end(ktime) {
        endKtime = BigInt(ktime)
      },
      fault: (type) => tally.fault(type),
      other(line) {
        const figure = counters.line(line)
        if (figure === 'mark') counted?.()
        if (figure !== null) return
        const notice = readNotice(line)
        if (notice !== null && typeof notice === 'object') lostHint += notice.lost
        if (notice === null || typeof notice === 'object') watcher.log?.(line, 'stdout')
      },
    },
  })

  const after = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, ms)
    timers.add(timer)
  }

  const useCalibration = async (): Promise<void> => {
    calibration = await calibrate(plan.dialect.clock)
    clock.offsetNs = calibration.offsetNs
    watcher.clock?.(calibration)
  }

  const becomeAttached = (): void => {
    attachedAt = process.hrtime.bigint()
    setState('attached')
    attached.resolve()
    if (options.durationMs !== null) after(options.durationMs, () => stop('duration'))
  }

  let child: Child
  const stop = (reason: EndReason): void => {
    if (end !== null) return
    end = reason
    endedAt = process.hrtime.bigint()
    if (state === 'attached') void finish()
    else child.kill()
  }

  /** Drain, then stop. From here on nobody slows the reading. */
  const finish = async (): Promise<void> => {
    setState('stopping')
    decoder.setMode('object')
    resume()
    const until = Date.now() + options.drainMs
    await closeGate(until)
    await drain(until)
    const hooks = plan.variant.needs.some((need) => 'function' in need && need.by === 'fentry')
      ? 'trampolines'
      : 'others'
    const missed = await countMisses(child.pid, hooks, facts.kernel.release)
    for (const type of Object.keys(plan.probe.events)) tally.missed(type, missed)
    await ladder()
  }

  const closeGate = async (until: number): Promise<void> => {
    if (!plan.canGate) {
      endKtime = BigInt(Date.now()) * 1_000_000n - clock.offsetNs
      return
    }
    // The kernel skips the gate's program while another runs on that CPU, so it is asked again until it has answered.
    while (endKtime === null && !isOver() && Date.now() < until) {
      child.signal('SIGURG')
      await nextCount(heartbeatMs)
    }
  }

  /**
   * Until what was emitted has arrived, or nothing moves any more, or time is up. Behind a closed gate a count is final; without
   * one, what was counted after the end must have arrived by the next count.
   */
  const drain = async (until: number): Promise<void> => {
    let before: { emitted: number; received: number } | null = null
    while (Date.now() < until && !isOver()) {
      const now = totals(live())
      const target = plan.canGate && endKtime !== null ? now.emitted : before?.emitted
      if (target !== undefined && now.received >= target) return
      if (before !== null && now.emitted === before.emitted && now.received === before.received)
        return
      before = now
      await nextCount(Math.min(4 * heartbeatMs, Math.max(1, until - Date.now())))
    }
  }

  const nextCount = (mostMs: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, mostMs)
      function done(): void {
        clearTimeout(timer)
        counted = null
        resolve()
      }
      counted = done
    })

  /** SIGINT, and harder signals when nothing was heard of the child for five seconds. */
  const ladder = async (): Promise<void> => {
    const marks = counters.marks
    const silenceMs = options.silenceMs ?? defaultSilenceMs
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
      if (signal === 'SIGKILL') child.kill()
      else child.signal(signal)
      lastByteAt = Date.now()
      while (Date.now() - lastByteAt < silenceMs) {
        if (await within(child.exited, 100)) break
      }
      if (isOver() || (await within(child.exited, 1))) break
    }
    const { code } = await child.exited
    await stdoutEnded.promise
    isFinal = code === 0 && counters.marks > marks && !isForced
  }

  const isOver = (): boolean => exit !== null
  let exit: Exit | null = null

  const pause = (): void => {
    if (state === 'stopping' || isPaused) return
    isPaused = true
    child.stdout.pause()
  }
  const resume = (): void => {
    if (!isPaused) return
    isPaused = false
    child.stdout.resume()
  }

  const close = (): void => {
    for (const timer of timers) clearTimeout(timer)
    clearInterval(recalibration)
    process.removeListener('exit', child.kill)
    const result: SessionResult = {
      account: live(),
      end: end ?? 'stop',
      startedAt,
      attachedAfterMs: attachedAt === null ? null : Number(attachedAt - started) / 1e6,
      ranMs:
        attachedAt === null ? 0 : Number((endedAt ?? process.hrtime.bigint()) - attachedAt) / 1e6,
      clockErrorNs: calibration?.errorNs ?? 0,
      lostHint,
    }
    if (failure !== null) {
      setState('failed')
      attached.reject(failure)
      ended.reject(Object.assign(failure, { result }))
      return
    }
    setState('ended')
    attached.reject(
      new EbpfRunError({
        code: 'NOT_ATTACHED',
        message: 'the run was stopped before it was attached',
      }),
    )
    ended.resolve(result)
  }

  watcher.begin?.(token)
  setState('starting')
  child = startChild(launchBpftrace(plan, facts, options.typesFolder), (line) =>
    watcher.log?.(line, 'stderr'),
  )
  // Whatever ends this process in an orderly way takes the child with it; SIGKILL is what pdeathsig and the heartbeat are for.
  process.on('exit', child.kill)
  const stdoutEnded = deferred<void>()
  child.stdout.on('data', (chunk: Buffer) => {
    lastByteAt = Date.now()
    watcher.bytes?.(chunk)
    decoder.push(chunk)
  })
  child.stdout.on('end', () => {
    decoder.end()
    stdoutEnded.resolve()
  })
  child.stdout.on('error', () => stdoutEnded.resolve())
  const recalibration = setInterval(() => void useCalibration(), recalibrateMs)
  recalibration.unref()
  after(options.attachTimeoutMs, () => {
    if (state !== 'starting') return
    failure = new EbpfRunError({
      code: 'NOT_ATTACHED',
      message: `nothing was attached within ${options.attachTimeoutMs / 1000} s`,
      remedy: 'give it longer with --attach-timeout, or run with -v to see what bpftrace says',
      detail: child.lastLines().slice(-8).join('\n'),
    })
    child.kill()
  })
  void useCalibration().then(() =>
    child.sendProgram(plan.render({ token, gatePid: plan.canGate ? child.pid : null })),
  )

  void child.exited.then(async (how) => {
    exit = how
    const wasStopping = state === 'stopping'
    await stdoutEnded.promise
    if (!wasStopping && end === null && failure === null)
      failure = explainExit(child.lastLines(), how, state === 'attached')
    // While stopping, `finish` still waits for the exit; give it its turn.
    setImmediate(close)
  })

  return {
    pid: child.pid,
    attached: attached.promise,
    ended: ended.promise,
    stop,
    force() {
      isForced = true
      end ??= 'interrupt'
      child.kill()
    },
    pause,
    resume,
    live,
  }
}

function passes(filters: readonly AnyFilter[], event: AnyEvent, numberOf: NumberOf): boolean {
  return filters.every((filter) => eventPasses(filter, event, numberOf))
}

function totals(account: Account): { emitted: number; received: number } {
  const all = Object.values(account.events)
  return {
    emitted: all.reduce((sum, each) => sum + (each.emitted ?? 0), 0),
    received: all.reduce((sum, each) => sum + each.received, 0),
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> = { resolve: () => {}, reject: () => {} }
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return {
    promise,
    resolve: (value) => settle.resolve(value),
    reject: (error) => settle.reject(error),
  }
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const won = await Promise.race([promise.then(() => true), timeout])
  clearTimeout(timer)
  return won
}
