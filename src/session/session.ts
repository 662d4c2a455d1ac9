import { backendOf } from '../backends/backend.ts'
import { EbpfRunError } from '../errors.ts'
import { withOwnNames } from '../wire/map-names.ts'
import { type Exit, startChild } from './child.ts'
import { calibrate, type Calibration } from './clock.ts'
import { deferred } from './deferred.ts'
import { closeGate, drain, type Ending, stopChild } from './ending.ts'
import { createIntake } from './intake.ts'
import { countMisses } from './misses.ts'
import { explainExit } from './stderr.ts'
import { drawToken } from './token.ts'
import type { EndReason, Session, SessionOptions, SessionResult, State } from './types.ts'

const defaultSilenceMs = 5_000
/**
 * How long the kernel may take to detach one attach point, of which a back-end says nothing meanwhile. It waits for all CPUs each time:
 * 80 ms with bpftrace 0.17 on two busy ones.
 */
const mostDetachMs = 250
const recalibrateMs = 10_000
/** Date tells milliseconds. */
const clockSlackNs = 2_000_000n

/** Starts a plan's back-end and follows it to its end. */
export function startSession(options: SessionOptions): Session {
  const { plan, facts, watcher } = options
  const token = drawToken()
  const backend = backendOf(plan, facts, options.filesFolder)
  const startedAt = new Date()
  const started = process.hrtime.bigint()
  const clock = { offsetNs: 0n }
  const isScript = plan.probe.script !== undefined

  let state: State = 'starting'
  let end: EndReason | null = null
  let failure: Error | null = null
  let attachedAt: bigint | null = null
  let lastByteAt = Date.now()
  let calibration: Calibration | null = null
  /** The kernel's clock when it was last compared with ours. */
  let kernelTime = { ns: 0n, at: started }
  let isForced = false
  let isFinal = false
  let isPaused = false
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
  const intake = createIntake({
    run: options,
    token,
    readNotice: (line) => backend.readNotice(line),
    clock,
    kernelNow,
    alive() {
      if (state === 'starting') becomeAttached()
    },
    enough() {
      stop('count')
    },
  })
  const live = () => intake.account(isFinal)

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
    intake.lookForOwners()
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
    intake.setStopping()
    resume()
    const until = Date.now() + options.drainMs
    if (plan.canGate) await closeGate(ending, until)
    else intake.closeAt(wallNs() - clock.offsetNs)
    await drain(ending, until)
    // Nobody has told it to end yet.
    if (exit !== null && !isForced && !endedItself(exit)) failure = explain(exit, true)
    const hooks = plan.variant.needs.some((need) => 'function' in need && need.by === 'fentry')
      ? 'trampolines'
      : 'others'
    intake.missed(await countMisses(child.pid, hooks, facts.kernel.release))
    const hasEndedItself = exit !== null && endedItself(exit)
    const marks = hasEndedItself ? 0 : intake.marks
    const detachMs = (plan.variant.attachPoints ?? 0) * mostDetachMs
    await stopChild(ending, (options.silenceMs ?? defaultSilenceMs) + detachMs)
    const { code } = await child.exited
    await stdoutEnded.promise
    // Without a gate, or when its dump took longer than the drain, the last one is what the back-end prints at its end.
    if (!intake.isDumped && intake.closedAt !== null) intake.dump(intake.closedAt)
    intake.dumpRest()
    isFinal = (code === 0 || hasEndedItself) && intake.marks > marks && !isForced
  }

  const explain = (how: Exit, wasAttached: boolean): Error => {
    const lines = child.lastLines().map((line) => (isScript ? withOwnNames(line, token) : line))
    return explainExit(lines, how, wasAttached, backend.name, isScript)
  }

  /** bpftrace prints all maps, our counts among them, when a script ends itself with whatever code. */
  const endedItself = ({ code, signal }: Exit): boolean =>
    isScript && signal === null && (code === 0 || intake.marks > 0)

  /** What is not attached would be counted as never called: the caller finds out what to do without. */
  const failOfLeftOut = (line: string): void => {
    if (state === 'stopping' || failure !== null) return
    failure = new EbpfRunError({
      code: 'ATTACH_FAILED',
      message: 'the kernel refused an attach point',
      remedy: 'ebpf-run plan PROBE names the attach points; ebpf-run doctor',
      detail: line,
    })
    child.kill()
  }

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
    intake.close()
    process.removeListener('exit', child.kill)
    const result: SessionResult = {
      account: live(),
      end: end ?? 'stop',
      startedAt,
      attachedAfterMs: attachedAt === null ? null : Number(attachedAt - started) / 1e6,
      ranMs:
        attachedAt === null ? 0 : Number((endedAt ?? process.hrtime.bigint()) - attachedAt) / 1e6,
      clockErrorNs: calibration?.errorNs ?? 0,
      lostHint: intake.lostHint,
      untypedLines: intake.untypedLines,
      unplacedValues: intake.unplacedValues,
      owners: intake.ownerFigures(),
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
  const child = startChild(backend.launch, (line) => {
    watcher.log?.(line, 'stderr')
    if (backend.hasLeftOut?.(line) === true) failOfLeftOut(line)
  })
  // Whatever ends this process in an orderly way takes the child with it; SIGKILL is what pdeathsig and the heartbeat are for.
  process.on('exit', child.kill)
  const stdoutEnded = deferred<void>()
  const ending: Ending = {
    child,
    isGateClosed: () => plan.canGate && intake.closedAt !== null,
    // Without a gate there is nothing to wait for: the dump comes when the child ends.
    isDumped: () => !plan.canGate || intake.isDumped,
    isOver: () => exit !== null,
    live,
    nextCount: intake.nextCount,
    silentMs: () => Date.now() - lastByteAt,
  }
  child.stdout.on('data', (chunk: Buffer) => {
    lastByteAt = Date.now()
    watcher.bytes?.(chunk)
    intake.push(chunk)
  })
  child.stdout.on('end', () => {
    intake.end()
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
    intake.lookForOwners()
    child.sendProgram(
      plan.input({
        token,
        childPid: plan.knowsPids ? child.pid : null,
        ownPid: plan.knowsPids ? process.pid : null,
        commandPid: options.commandPid ?? null,
      }),
    )
    intake.lookForContainers()
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
