import { loadOf, resultName } from '../schema/kinds.ts'
import type { WallClock } from './clock.ts'
import type { Containers } from './containers.ts'
import { createFastTime, type FastTime } from './fast-time.ts'
import type { Addresses } from './values.ts'

/** What generated source calls and shares: the output, tables of characters, and values too long to generate. */
export interface FastSupport extends FastTime {
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
  /** The container of a cgroup, or null. */
  container(cgroup: string): string | null
  resultName(code: number): string
  loadOf(fixed: number): number
  /** The result's name as JSON. */
  resultJson(code: number): Uint8Array
  writeAscii(text: string, o: number): number
}

export interface SupportOptions {
  readonly token: string
  readonly output: Uint8Array
  readonly clock: WallClock
  readonly addresses: Addresses
  readonly containers: Containers
}

export function createFastSupport(options: SupportOptions): FastSupport {
  const { token, output, clock, addresses, containers } = options
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength)
  const results = new Map<number, Uint8Array>()
  return {
    output,
    view,
    out: 0,
    end: 0,
    plainChars: charTable(/[^\x00-\x1f"\\\x80-\xff]/, token),
    asciiChars: charTable(/[\x01-\x7f]/, token),
    addressChars: charTable(/[0-9a-f:.]/, ''),
    isIPv4,
    address: (text) => addresses.read(text),
    container: (cgroup) => containers.nameOf(cgroup),
    resultName,
    loadOf,
    resultJson(code) {
      // Below 0 there are only errnos, at most 4095; anything else a program returns shares no table.
      const key = Math.max(-4096, Math.min(code, 0))
      if (key === -4096) return jsonBytes(resultName(code))
      const known = results.get(key) ?? jsonBytes(resultName(key))
      results.set(key, known)
      return known
    },
    ...createFastTime(clock, view),
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
