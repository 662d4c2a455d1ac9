import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { calibrate, readTimerList, suspendedNs } from '../../src/session/clock.ts'

let proc = ''
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'ebpf-run-clock-'))
})
afterEach(() => rmSync(proc, { recursive: true }))

const hour = 3_600_000_000_000n
/** Far less than an hour, far more than a pause of this machine. */
const slackNs = 60e9

/** The head of /proc/timer_list of 6.18, with these offsets of realtime and boottime. */
const timerList = (realtime: bigint, boottime: bigint): string => `Timer List Version: v0.10
HRTIMER_MAX_CLOCK_BASES: 8
now at 70397474413806 nsecs

cpu: 0
 clock 0:
  .base:               0000000000000000
  .index:      0
  .resolution: 1 nsecs
  .offset:     0 nsecs
active timers:
 #0: <0000000000000000>, tick_nohz_handler, S:01
 clock 1:
  .index:      1
  .offset:     ${realtime} nsecs
active timers:
 clock 2:
  .index:      2
  .offset:     ${boottime} nsecs
 clock 3:
  .offset:     ${realtime + 37n * 1_000_000_000n} nsecs
`

/** /proc/uptime of a system that was suspended so long. */
function uptime(suspended: bigint): string {
  const hundredths = (process.hrtime.bigint() + suspended) / 10_000_000n
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')} 12345.67\n`
}

const realtimeNs = () => BigInt(Date.now()) * 1_000_000n
/** How far a time of the kernel's clock is shown from where it belongs. */
const distance = (shown: bigint) => Number(shown - realtimeNs())

describe('the offset of a kernel clock', () => {
  it("is the kernel's own where /proc/timer_list can be read", async () => {
    writeFileSync(join(proc, 'timer_list'), timerList(7n * hour, hour))

    expect(await calibrate('monotonic', proc)).toMatchObject({
      offsetNs: 7n * hour,
      source: 'timer_list',
    })
    expect(await calibrate('boottime', proc)).toMatchObject({ offsetNs: 6n * hour })
  })

  it("is measured with this process's clocks where it cannot", async () => {
    const { offsetNs, errorNs, source } = await calibrate('monotonic', proc)

    expect(source).toBe('clocks')
    expect(Math.abs(distance(process.hrtime.bigint() + offsetNs))).toBeLessThan(errorNs + slackNs)
  })

  it('has the time that the system was suspended in it for boottime, which goes on meanwhile', async () => {
    writeFileSync(join(proc, 'uptime'), uptime(hour))
    const monotonic = await calibrate('monotonic', proc)
    const { offsetNs, errorNs } = await calibrate('boottime', proc)

    const now = process.hrtime.bigint() + hour
    expect(Math.abs(distance(now + offsetNs))).toBeLessThan(errorNs + slackNs)
    expect(errorNs).toBeGreaterThanOrEqual(10_000_000)
    expect(errorNs).toBeGreaterThan(monotonic.errorNs)
  })

  it('is the same for both clocks on a system that was never suspended', async () => {
    writeFileSync(join(proc, 'uptime'), uptime(0n))
    const { offsetNs, errorNs } = await calibrate('boottime', proc)

    expect(Math.abs(distance(process.hrtime.bigint() + offsetNs))).toBeLessThan(errorNs + slackNs)
  })
})

describe('what is read for it', () => {
  it.each(['', 'Timer List Version: v0.10\n', timerList(0n, 5n), '  .offset:     0 nsecs\n'])(
    'is nothing in %j',
    (text) => {
      expect(readTimerList(text)).toBeNull()
    },
  )

  it.each([
    ['100.00 5.00', 100_000_000_000n, 0n],
    ['100.02 5.00', 100_000_000_000n, 0n],
    ['100.03 5.00', 100_000_000_000n, 30_000_000n],
    ['99.99 5.00', 100_000_000_000n, 0n],
    ['3700.00 5.00', 100_000_000_000n, hour],
    ['garbage', 100_000_000_000n, 0n],
    ['', 0n, 0n],
  ])('/proc/uptime of %j', (text, monotonic, suspended) => {
    expect(suspendedNs(text, monotonic)).toBe(suspended)
  })
})
