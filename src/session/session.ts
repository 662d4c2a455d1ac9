import { backendOf } from '../backends/backend.ts'
import { EbpfRunError } from '../errors.ts'
import { type AnyFilter, eventPasses, type NumberOf } from '../plan/filters.ts'
import { numberOfFields } from '../plan/numbers.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Account } from '../wire/account.ts'
import { createCounters } from '../wire/counters.ts'
import { createDecoder } from '../wire/decoder.ts'
import { withOwnNames } from '../wire/map-names.ts'
import { type Owner, withOwner } from '../wire/owner.ts'
import { createAccount } from '../wire/tally.ts'
import { type Exit, startChild } from './child.ts'
import { calibrate, type Calibration } from './clock.ts'
import { createPulse, deferred } from './deferred.ts'
import { followGroups } from './groups.ts'
import { closeGate, drain, type Ending, stopChild } from './ending.ts'
import { countMisses } from './misses.ts'
import { followContainers, showsContainers } from './containers.ts'
import { followOwners } from './owners.ts'
import { cgroupRoot } from './proc-sockets.ts'
import { explainExit } from './stderr.ts'
import { drawToken } from './token.ts'
import type { EndReason, Session, SessionOptions, SessionResult, State } from './types.ts'

const defaultSilenceMs = 5_000
const recalibrateMs = 10_000
/** Date tells milliseconds. */
const clockSlackNs = 2_000_000n

/** Starts a plan's back-end and follows it to its end. */
export function startSession(options: SessionOptions): Session {
  const { plan, facts, consumer, watcher } = options
  const token = drawToken()
  const backend = backendOf(plan, facts, options.filesFolder)
  const startedAt = new Date()
  const started = process.hrtime.bigint()
  const counters = createCounters(token)
  const tally = createAccount(Object.keys(plan.probe.events), plan.layouts)
  const clock = { offsetNs: 0n }
  const lateFilters = plan.filters
    .filter((each) => each.applied !== 'kernel')
    .map((each) => each.filter)
  const numberOf = numberOfFields(plan.probe)
  const isScript = plan.probe.script !== undefined

  let state: State = 'starting'
  let end: EndReason | null = null
  let endKtime: bigint | null = null
  let failure: Error | null = null
  let attachedAt: bigint | null = null
  let lastByteAt = Date.now()
  let calibration: Calibration | null = null
  /** The kernel's clock when it was last compared with ours. */
  let kernelTime = { ns: 0n, at: started }
  let lostHint = 0
  let untypedLines = 0
  let isForced = false
  let isFinal = false
  let isPaused = false
  /** Beats when the kernel's counts were just read. */
  const counts = createPulse()
  let endedAt: bigint | null = null
  let exit: Exit | null = null
  const timers = new Set<NodeJS.Timeout>()

  const attached = deferred<void>()
  const ended = deferred<SessionResult>()
  attached.promise.catch(() => {})
  ended.promise.catch(() => {})

  /** The kernel's clock, late rather than early whatever the wall clock does meanwhile. */
  const kernelNow = (): bigint => {
    const byWall = wallNs() - clock.offsetNs
    const bySpan = kernelTime.ns + process.hrtime.bigint() - kernelTime.at
    return (byWall > bySpan ? byWall : bySpan) + clockSlackNs
  }

  const setState = (next: State): void => {
    state = next
    watcher.state?.(next)
  }
  const live = (): Account => tally.snapshot({ final: isFinal, counters })

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
    // A script may end itself before the first heartbeat.
    if (isScript && state === 'starting') becomeAttached()
    tally.received(type)
    const event = join(decoded)
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
  const isLate = (event: AnyEvent): boolean => {
    const isBehindEnd =
      endKtime !== null &&
      typeof event['ktime_ns'] === 'string' &&
      BigInt(event['ktime_ns']) > endKtime
    // Behind the gate only a script's END has something to say.
    if (isBehindEnd) return !(isScript && plan.canGate)
    return options.count !== null && deliveredCount >= options.count
  }

  const summary = plan.summary === null ? null : followGroups(plan.summary, { token, clock })
  /** Puts out what was counted since the last dump. */
  const dump = (ktime: bigint): void => {
    const rows = summary?.dump(ktime) ?? []
    for (const { type, count } of rows) {
      tally.received(type, count)
      tally.delivered(type, count)
    }
    for (const { event } of rows.slice(0, options.top ?? rows.length)) consumer.event(event)
  }

  const wantsLines =
    summary === null &&
    owners === null &&
    !isScript &&
    consumer.lines !== undefined &&
    lateFilters.length === 0 &&
    options.count === null
  const decoder = createDecoder({
    token,
    ...(summary?.records ?? { events: plan.probe.events, layouts: plan.layouts }),
    clock,
    containers,
    mode: wantsLines ? 'ndjson' : 'object',
    handlers: {
      event(event, type) {
        if (summary === null) take(event, type)
        else if (summary.endsDump(event)) dump(BigInt(String(event['ktime_ns'])))
      },
      lines(text, type, count) {
        tally.received(type, count)
        tally.delivered(type, count)
        consumer.lines?.(text)
      },
      heartbeat(ktime) {
        summary?.begin(BigInt(ktime))
        if (state === 'starting') becomeAttached()
      },
      end(ktime) {
        endKtime = BigInt(ktime)
      },
      fault: (type) => tally.fault(type),
      other(line) {
        if (summary?.line(line)) return
        const figure = counters.line(line)
        if (figure === 'mark') counts.beat()
        if (figure !== null) return
        const notice = backend.readNotice(line)
        if (notice !== null && typeof notice === 'object') lostHint += notice.lost
        if (notice === null && isScript) untypedLines += 1
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
    calibration = await calibrate(plan.clock)
    clock.offsetNs = calibration.offsetNs
    kernelTime = { ns: wallNs() - calibration.offsetNs, at: process.hrtime.bigint() }
    watcher.clock?.(calibration)
  }

  const becomeAttached = (): void => {
    attachedAt = process.hrtime.bigint()
    setState('attached')
    attached.resolve()
    // Once more: what was opened until now was not seen.
    owners?.look()
    if (options.durationMs !== null) after(options.durationMs, () => stop('duration'))
  }

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
    if (plan.canGate) await closeGate(ending, until)
    else endKtime = wallNs() - clock.offsetNs
    await drain(ending, until)
    // Nobody has told it to end yet.
    if (exit !== null && !isForced && !endedItself(exit)) failure = explain(exit, true)
    const hooks = plan.variant.needs.some((need) => 'function' in need && need.by === 'fentry')
      ? 'trampolines'
      : 'others'
    const missed = await countMisses(child.pid, hooks, facts.kernel.release)
    for (const type of Object.keys(plan.probe.events)) tally.missed(type, missed)
    const hasEndedItself = exit !== null && endedItself(exit)
    const marks = hasEndedItself ? 0 : counters.marks
    await stopChild(ending, options.silenceMs ?? defaultSilenceMs)
    const { code } = await child.exited
    await stdoutEnded.promise
    // Without a gate the last dump is what bpftrace prints at its end.
    if (!plan.canGate && endKtime !== null) dump(endKtime)
    isFinal = (code === 0 || hasEndedItself) && counters.marks > marks && !isForced
  }

  const explain = (how: Exit, wasAttached: boolean): Error => {
    const lines = child.lastLines().map((line) => (isScript ? withOwnNames(line, token) : line))
    return explainExit(lines, how, wasAttached, backend.name, isScript)
  }

  /** bpftrace prints all maps, our counts among them, when a script ends itself with whatever code. */
  const endedItself = ({ code, signal }: Exit): boolean =>
    isScript && signal === null && (code === 0 || counters.marks > 0)

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
    owners?.close()
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
      untypedLines,
      owners: owners?.figures() ?? null,
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
  const child = startChild(backend.launch, (line) => watcher.log?.(line, 'stderr'))
  // Whatever ends this process in an orderly way takes the child with it; SIGKILL is what pdeathsig and the heartbeat are for.
  process.on('exit', child.kill)
  const stdoutEnded = deferred<void>()
  const ending: Ending = {
    child,
    isGateClosed: () => plan.canGate && endKtime !== null,
    isOver: () => exit !== null,
    live,
    nextCount: counts.next,
    silentMs: () => Date.now() - lastByteAt,
  }
  child.stdout.on('data', (chunk: Buffer) => {
    lastByteAt = Date.now()
    watcher.bytes?.(chunk)
    decoder.push(chunk)
    tellOwned()
  })
  child.stdout.on('end', () => {
    decoder.end()
    tellOwned()
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
      remedy: `give it longer with --attach-timeout, or run with -v to see what ${backend.name} says`,
      detail: child.lastLines().slice(-8).join('\n'),
    })
    child.kill()
  })
  void useCalibration().then(() => {
    owners?.look()
    child.sendProgram(
      plan.input({
        token,
        gatePid: plan.canGate ? child.pid : null,
        commandPid: options.commandPid ?? null,
      }),
    )
    containers.look()
  })

  void child.exited.then(async (how) => {
    exit = how
    const wasStopping = state === 'stopping'
    await stdoutEnded.promise
    if (!wasStopping && end === null && failure === null) {
      if (endedItself(how)) {
        if (state === 'starting') becomeAttached()
        end = 'exit'
        endedAt = process.hrtime.bigint()
        isFinal = true
      } else failure = explain(how, state === 'attached')
    }
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

function wallNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}

function passes(filters: readonly AnyFilter[], event: AnyEvent, numberOf: NumberOf): boolean {
  return filters.every((filter) => eventPasses(filter, event, numberOf))
}
