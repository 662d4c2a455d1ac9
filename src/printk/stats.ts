/** What one CPU's buffer has counted (per_cpu/cpuN/stats). */
export interface CpuStats {
  /** Records that are in the buffer and were not read. */
  readonly waiting: number
  /** All that were written or should have been. */
  readonly emitted: number
}

/**
 * A stats file to its counts; null when a line is missing. Records that found no room count as `dropped events` where the buffer
 * keeps the oldest, as `overrun` where it keeps the newest, and as `commit overrun` where an interrupt came in between.
 */
export function readStats(text: string): CpuStats | null {
  const of = (name: string): number =>
    Number(new RegExp(`^${name}: (\\d{1,15})$`, 'm').exec(text)?.[1] ?? Number.NaN)
  const waiting = of('entries')
  const emitted =
    waiting + of('overrun') + of('commit overrun') + of('dropped events') + of('read events')
  return Number.isNaN(emitted) ? null : { waiting, emitted }
}
