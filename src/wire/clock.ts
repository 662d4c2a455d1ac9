import type { Clock } from './decoder.ts'

/** Kernel time to wall-clock text. Texts of a second are made once. */
export interface WallClock {
  /** Takes over the clock's offset; called before each chunk. */
  sync(): void
  /** Decimal nanoseconds of the kernel's clock to RFC 3339 in UTC with nine digits. */
  show(ktime: string): string
  /** Start of a shown time, up to and with the point, and the nanoseconds to add to the kernel's. */
  second(kernelSecond: number, isCarried: boolean): string
  /** Nanoseconds of the offset, 0 to 999,999,999; its seconds are in what `second` returns. */
  offsetNanos(): number
}

const nanosPerSecond = 1_000_000_000n

/** A wall clock over `clock`, whose offset may change between chunks. */
export function createWallClock(clock: Clock): WallClock {
  let offset: bigint | null = null
  let offsetSeconds = 0
  let offsetNanos = 0
  let lastSecond = Number.NaN
  let lastText = ''

  const second = (kernelSecond: number, isCarried: boolean) => {
    const wall = kernelSecond + offsetSeconds + (isCarried ? 1 : 0)
    if (wall !== lastSecond) {
      lastText = `${new Date(wall * 1000).toISOString().slice(0, -'000Z'.length)}`
      lastSecond = wall
    }
    return lastText
  }

  return {
    sync() {
      if (offset === clock.offsetNs) return
      offset = clock.offsetNs
      offsetNanos = Number(((offset % nanosPerSecond) + nanosPerSecond) % nanosPerSecond)
      offsetSeconds = Number((offset - BigInt(offsetNanos)) / nanosPerSecond)
    },
    show(ktime) {
      const nanos = Number(ktime.slice(-9)) + offsetNanos
      const isCarried = nanos >= 1e9
      const head = second(Number(ktime.slice(0, -9)), isCarried)
      return `${head}${String(isCarried ? nanos - 1e9 : nanos).padStart(9, '0')}Z`
    },
    second,
    offsetNanos: () => offsetNanos,
  }
}
