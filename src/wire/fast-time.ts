import type { WallClock } from './clock.ts'

/** Wall-clock time straight from the digits of the kernel's clock in [from, to), which are digits and at most 19. */
export interface FastTime {
  showTime(b: Uint8Array, from: number, to: number): string
  /** Writes the same at `o`; where the output goes on. */
  writeTime(b: Uint8Array, from: number, to: number, o: number): number
}

/** Writes to `view`. */
export function createFastTime(clock: WallClock, view: DataView): FastTime {
  let nanos = 0
  let written = ''
  let words: Uint32Array = new Uint32Array(0)

  /** The text of the second; its nanoseconds are left in `nanos`. */
  const second = (b: Uint8Array, from: number, to: number): string => {
    const point = from > to - 9 ? from : to - 9
    nanos = numberOf(b, point, to) + clock.offsetNanos()
    const isCarried = nanos >= 1_000_000_000
    if (isCarried) nanos -= 1_000_000_000
    return clock.second(numberOf(b, from, point), isCarried)
  }

  return {
    showTime(b, from, to) {
      const text = second(b, from, to)
      const micros = (nanos / 1000) | 0
      const millis = (micros / 1000) | 0
      return `${text}${threes[millis]}${threes[micros - millis * 1000]}${threes[nanos - micros * 1000]}Z`
    },
    writeTime(b, from, to, o) {
      const text = second(b, from, to)
      if (text !== written) {
        written = text
        words = wordsOf(text)
      }
      for (let at = 0; at < words.length; at++) view.setUint32(o + at * 4, words[at] ?? 0)
      const at = o + written.length
      const micros = (nanos / 1000) | 0
      const millis = (micros / 1000) | 0
      view.setUint32(at, threesZ[millis] ?? 0)
      view.setUint32(at + 3, threesZ[micros - millis * 1000] ?? 0)
      view.setUint32(at + 6, threesZ[nanos - micros * 1000] ?? 0)
      return at + 10
    },
  }
}

function numberOf(b: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + ((b[at] ?? 0) ^ 48)
  return value
}

/** The text's characters by fours, the last four filled up with anything. */
function wordsOf(text: string): Uint32Array {
  const bytes = Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4), 'latin1')
  return Uint32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readUInt32BE(at * 4))
}

/** '000' to '999'. */
const threes = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'))
/** The same as four characters: what follows writes over the Z, but for the last. */
const threesZ = Uint32Array.from(threes, (three) => wordsOf(`${three}Z`)[0] ?? 0)
