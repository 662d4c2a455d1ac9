import { readFile } from 'node:fs/promises'

/** What to add to the kernel's clock to get nanoseconds since 1970, and how far off that may be. */
export interface Calibration {
  readonly offsetNs: bigint
  readonly errorNs: number
  readonly source: 'timer_list' | 'clocks'
}

type ClockName = 'monotonic' | 'boottime'

/** Reading two cached offsets: they are the kernel's own, so the error is that of one clock_gettime. */
const kernelErrorNs = 1_000

/** Measures the offset of a kernel clock: from /proc/timer_list (root), else from this process's clocks. `proc`: where procfs is. */
export async function calibrate(clock: ClockName, proc = '/proc'): Promise<Calibration> {
  const text = await readFile(`${proc}/timer_list`, 'utf8').catch(() => '')
  const offsets = readTimerList(text)
  if (offsets !== null) {
    const offsetNs = clock === 'monotonic' ? offsets.realtime : offsets.realtime - offsets.boottime
    return { offsetNs, errorNs: kernelErrorNs, source: 'timer_list' }
  }
  const monotonic = sandwich()
  if (clock === 'monotonic') return monotonic
  const uptime = await readFile(`${proc}/uptime`, 'utf8').catch(() => '')
  const suspended = suspendedNs(uptime, process.hrtime.bigint())
  if (suspended === 0n) return monotonic
  return {
    offsetNs: monotonic.offsetNs - suspended,
    errorNs: monotonic.errorNs + uptimeStepNs,
    source: 'clocks',
  }
}

/** /proc/uptime counts hundredths of a second. */
const uptimeStepNs = 10_000_000

/**
 * How long the system was suspended: what /proc/uptime (the clock of boottime: fs/proc/uptime.c) is ahead of the monotonic clock. A
 * difference of less than its own steps is none.
 */
export function suspendedNs(uptime: string, monotonicNs: bigint): bigint {
  const [, seconds = '0', hundredths = '0'] = /^(\d{1,12})\.(\d{2}) /.exec(uptime) ?? []
  const ahead = BigInt(seconds + hundredths) * BigInt(uptimeStepNs) - monotonicNs
  return ahead > 2 * uptimeStepNs ? ahead : 0n
}

/**
 * Offsets to the monotonic clock from /proc/timer_list (kernel/time/timer_list.c): the bases of the first CPU stand in the
 * order monotonic, realtime, boottime, TAI (enum hrtimer_base_type). Null when the text has them not.
 */
export function readTimerList(text: string): { realtime: bigint; boottime: bigint } | null {
  const offsets = [...text.matchAll(/^ {2}\.offset:\s+(\d+) nsecs$/gm)]
    .slice(0, 3)
    .map((match) => BigInt(match[1] ?? '0'))
  const [, realtime, boottime] = offsets
  return realtime === undefined || boottime === undefined || realtime === 0n
    ? null
    : { realtime, boottime }
}

/** The monotonic clock's. Waits for Date's next millisecond between two readings of the monotonic clock. Takes a millisecond at most. */
function sandwich(): Calibration {
  const first = Date.now()
  let before = process.hrtime.bigint()
  let now = Date.now()
  while (now === first) {
    before = process.hrtime.bigint()
    now = Date.now()
  }
  const after = process.hrtime.bigint()
  return {
    offsetNs: BigInt(now) * 1_000_000n - (before + after) / 2n,
    errorNs: Number(after - before) / 2 + 100_000,
    source: 'clocks',
  }
}
