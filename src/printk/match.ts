import { isIP } from 'node:net'
import type { Conversion, Piece } from './pattern.ts'

/** A message, one character a byte, to its values as they stand on the wire; null when it is not of the pattern. */
export type Matcher = (message: string) => readonly string[] | null

/** How the kernel's vsnprintf may have written a value: blanks and zeros of a width around it. */
const forms: Readonly<Record<Exclude<Conversion, 'text' | 'char'>, RegExp>> = {
  i32: padded(/[-+]?\d{1,32}/),
  u32: padded(/\+?\d{1,32}/),
  x32: padded(/(?:0[xX])?[0-9a-fA-F]{1,32}/),
  i64: padded(/[-+]?\d{1,32}/),
  u64: padded(/\+?\d{1,32}/),
  x64: padded(/(?:0[xX])?[0-9a-fA-F]{1,32}/),
  pointer: padded(/(?:0x)?[0-9a-f]{1,16}|\(null\)|\(____ptrval____\)|\(efault\)/),
  ipv4: padded(/\d{1,3}(?:\.\d{1,3}){3}/),
  ipv6: padded(/[0-9a-f:.]{2,45}/),
}

/** With at most 32 blanks on each side. */
function padded({ source }: RegExp): RegExp {
  return new RegExp(` {0,32}(?:${source}) {0,32}`, 'y')
}

const ranges = {
  i32: [-(2n ** 31n), 2n ** 31n - 1n],
  u32: [0n, 2n ** 32n - 1n],
  x32: [0n, 2n ** 32n - 1n],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
  u64: [0n, 2n ** 64n - 1n],
  x64: [0n, 2n ** 64n - 1n],
} as const

/**
 * Matches whole messages. A text is as short as it can be for the rest to match. No place of the message is tried twice for the
 * same piece, and a text that cannot begin at a place cannot begin after it, so the time is bounded by pieces times places,
 * whatever a traced program writes.
 */
export function createMatcher(pieces: readonly Piece[]): Matcher {
  const steps = pieces.map((piece) =>
    'literal' in piece
      ? { literal: Buffer.from(piece.literal).toString('latin1') }
      : { as: piece.as },
  )
  return (message) => {
    const failed = new Set<number>()
    /** Step to the first place from which on it fails. */
    const failedFrom = new Map<number, number>()
    const width = message.length + 1
    const from = (step: number, at: number): string[] | null => {
      const key = step * width + at
      if (failed.has(key) || at >= (failedFrom.get(step) ?? width)) return null
      const found = tryStep(step, at)
      if (found === null) {
        const piece = steps[step]
        if (piece !== undefined && 'as' in piece && piece.as === 'text') failedFrom.set(step, at)
        else failed.add(key)
      }
      return found
    }
    const tryStep = (step: number, at: number): string[] | null => {
      const piece = steps[step]
      if (piece === undefined) return at === message.length ? [] : null
      if ('literal' in piece)
        return message.startsWith(piece.literal, at)
          ? from(step + 1, at + piece.literal.length)
          : null
      for (const { end, value } of candidates(piece.as, message, at)) {
        const rest = from(step + 1, end)
        if (rest !== null) return [value, ...rest]
      }
      return null
    }
    return from(0, 0)
  }
}

/** The ends that a value may have, with what it is then: one for each text, few for numbers. */
function* candidates(
  as: Conversion,
  message: string,
  at: number,
): Generator<{ readonly end: number; readonly value: string }> {
  if (as === 'text') {
    for (let end = at; end <= message.length; end++) yield { end, value: message.slice(at, end) }
    return
  }
  if (as === 'char') {
    if (at < message.length) yield { end: at + 1, value: message.slice(at, at + 1) }
    return
  }
  const form = forms[as]
  form.lastIndex = at
  const [text] = form.exec(message) ?? []
  if (text === undefined) return
  // The longest first; a shorter one where the pattern itself goes on with a digit or a blank.
  for (let size = text.length; size > 0; size--) {
    const value = valueOf(as, text.slice(0, size))
    if (value !== null) yield { end: at + size, value }
  }
}

function valueOf(as: Exclude<Conversion, 'text' | 'char'>, written: string): string | null {
  const text = written.trim()
  if (as === 'ipv4' || as === 'ipv6') return isIP(text) === 0 ? null : text
  if (as === 'pointer') return pointerOf(text)
  const digits = text.replace(/^\+/, '')
  const isHex = as === 'x32' || as === 'x64'
  if (!(isHex ? /^(?:0[xX])?[0-9a-fA-F]+$/ : /^-?\d+$/).test(digits)) return null
  const number = BigInt(isHex && !/^0x/i.test(digits) ? `0x${digits}` : digits)
  const [low, high] = ranges[as]
  return number < low || number > high ? null : String(number)
}

/** A pointer without value, or one that the kernel does not show, is empty on the wire. */
function pointerOf(text: string): string | null {
  if (text.startsWith('(')) return text.endsWith(')') ? '' : null
  return /^(?:0x)?[0-9a-f]+$/.test(text)
    ? BigInt(`0x${text.replace(/^0x/, '')}`).toString(16)
    : null
}
