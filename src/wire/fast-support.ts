import { resultName } from '../schema/kinds.ts'
import type { WallClock } from './clock.ts'
import type { Addresses } from './values.ts'

/** What generated source calls and shares: the output, tables of characters, and values too long to generate. */
export interface FastSupport {
  readonly output: Uint8Array
  readonly view: DataView
  /** Where the next byte of output goes. */
  out: number
  /** Where the event read last ends. */
  end: number
  /** 1 for characters that a JSON string holds as they are, but not the token's first. */
  readonly plainChars: Uint8Array
  /** 1 for ASCII without NUL, but not the token's first. */
  readonly asciiChars: Uint8Array
  readonly addressChars: Uint8Array
  /** True for dotted decimals of 0 to 255 without leading zeros. */
  isIPv4(b: Uint8Array, from: number, to: number): boolean
  /** The shown form of an address, or null. */
  address(text: string): string | null
  resultName(code: number): string
  /** The result's name as JSON. */
  resultJson(code: number): Uint8Array
  /** The wall-clock time of the digits in [from, to). */
  showTime(b: Uint8Array, from: number, to: number): string
  /** Writes the same at `o`; where the output goes on. */
  writeTime(b: Uint8Array, from: number, to: number, o: number): number
  writeAscii(text: string, o: number): number
}

export interface SupportOptions {
  readonly token: string
  readonly output: Uint8Array
  readonly clock: WallClock
  readonly addresses: Addresses
}

export function createFastSupport(options: SupportOptions): FastSupport {
  const { token, output, clock, addresses } = options
  const results = new Map<number, Uint8Array>()
  return {
    output,
    view: new DataView(output.buffer, output.byteOffset, output.byteLength),
    out: 0,
    end: 0,
    plainChars: charTable(/[^\x00-\x1f"\\\x80-\xff]/, token),
    asciiChars: charTable(/[\x01-\x7f]/, token),
    addressChars: charTable(/[0-9a-f:.]/, ''),
    isIPv4,
    address: (text) => addresses.read(text),
    resultName,
    resultJson(code) {
      // Below 0 there are only errnos, at most 4095; anything else a program returns shares no table.
      const key = Math.max(-4096, Math.min(code, 0))
      if (key === -4096) return jsonBytes(resultName(code))
      const known = results.get(key) ?? jsonBytes(resultName(key))
      results.set(key, known)
      return known
    },
    ...timeWriters(clock, output),
    writeAscii(text, o) {
      for (let at = 0; at < text.length; at++) output[o + at] = text.charCodeAt(at)
      return o + text.length
    },
  }
}

/** A JSON string's bytes. */
export function jsonBytes(text: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(text))
}

function charTable(chars: RegExp, token: string): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, code) =>
    chars.test(String.fromCharCode(code)) ? 1 : 0,
  )
  if (token !== '') table[token.charCodeAt(0)] = 0
  return table
}

function isIPv4(b: Uint8Array, from: number, to: number): boolean {
  let group = 0
  let digits = 0
  let dots = 0
  for (let at = from; at < to; at++) {
    const char = b[at] ?? 0
    const digit = char ^ 48
    if (digit <= 9) {
      if (digits > 0 && group === 0) return false
      group = group * 10 + digit
      digits++
      if (group > 255) return false
    } else {
      if (char !== dot || digits === 0) return false
      dots++
      group = 0
      digits = 0
    }
  }
  return dots === 3 && digits > 0
}

const dot = 0x2e

/** Time from digits, its second looked up, its nanoseconds written by threes. */
function timeWriters(
  clock: WallClock,
  output: Uint8Array,
): Pick<FastSupport, 'showTime' | 'writeTime'> {
  let nanos = 0
  /** Splits [from, to) at its ninth digit from the right; returns the second's text and leaves `nanos`. */
  const split = (b: Uint8Array, from: number, to: number): string => {
    const point = Math.max(from, to - 9)
    nanos = number(b, point, to) + clock.offsetNanos()
    const isCarried = nanos >= 1_000_000_000
    if (isCarried) nanos -= 1_000_000_000
    return clock.second(number(b, from, point), isCarried)
  }
  return {
    showTime(b, from, to) {
      const second = split(b, from, to)
      const micros = Math.trunc(nanos / 1000)
      const millis = Math.trunc(micros / 1000)
      return `${second}${threes[millis]}${threes[micros % 1000]}${threes[nanos % 1000]}Z`
    },
    writeTime(b, from, to, o) {
      const second = split(b, from, to)
      const end = o + second.length + 9
      for (let at = 0; at < second.length; at++) output[o + at] = second.charCodeAt(at)
      for (let at = end - 1, left = nanos; at >= end - 9; at--) {
        const rest = Math.trunc(left / 10)
        output[at] = left - rest * 10 + 48
        left = rest
      }
      output[end] = utc
      return end + 1
    },
  }
}

function number(b: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + ((b[at] ?? 0) ^ 48)
  return value
}

/** '000' to '999'. */
const threes = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'))
const utc = 0x5a
