import { isUtf8 } from 'node:buffer'

/** What a text became. */
export interface TextValue {
  readonly value: string | null
  /** It held bytes outside UTF-8, shown as `\xNN`. */
  readonly escaped: boolean
  readonly cut: boolean
}

export interface TextRules {
  /** Bytes shown; more were fetched only to know that there are more. */
  readonly bytes?: number
  readonly emptyIsNull?: true
}

/** A text of the wire, one character a byte, to what is shown. */
export function readText(latin1: string, rules: TextRules): TextValue {
  if (latin1 === '' && rules.emptyIsNull) return { value: null, escaped: false, cut: false }
  const shown = rules.bytes === undefined ? latin1 : cutText(latin1, rules.bytes)
  const cut = shown.length < latin1.length
  if (isAscii(shown)) return { value: shown, escaped: false, cut }
  const bytes = Buffer.from(shown, 'latin1')
  return isUtf8(bytes)
    ? { value: bytes.toString('utf8'), escaped: false, cut }
    : { value: escapeBytes(shown), escaped: true, cut }
}

/** A call stack as bpftrace prints it, a line a function with blanks in front, to its lines; null for none. */
export function readStack(latin1: string): readonly string[] | null {
  const lines = latin1
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return lines.length === 0 ? null : lines
}

/** Bytes of a shown text: the way back from `readText`. */
export function textBytes(value: string, escaped: boolean): Buffer {
  if (!escaped) return Buffer.from(value, 'utf8')
  // Every backslash of an escaped text begins `\xNN`, its own ones too, so the split is unambiguous.
  const pieces = value.split(/(\\x[0-9a-f]{2})/)
  return Buffer.concat(
    pieces.map((piece) =>
      piece.startsWith('\\x') ? Buffer.from(piece.slice(2), 'hex') : Buffer.from(piece, 'utf8'),
    ),
  )
}

/** A text without escapes as it stands in one with them. */
export function escapeBackslashes(value: string): string {
  return value.replaceAll('\\', String.raw`\x5c`)
}

/** At most `limit` bytes; a character that the limit would split goes as a whole. */
export function cutText(latin1: string, limit: number): string {
  if (latin1.length <= limit) return latin1
  for (let at = limit - 1; at >= 0 && at > limit - 4; at--) {
    const need = sequenceLength(latin1.charCodeAt(at))
    if (need === 0) continue
    const isSplit =
      at + need > limit && continuationsAt(latin1, at, need) === leftOf(latin1, at, need)
    return latin1.slice(0, isSplit ? at : limit)
  }
  return latin1.slice(0, limit)
}

function isAscii(latin1: string): boolean {
  for (let at = 0; at < latin1.length; at++) {
    if (latin1.charCodeAt(at) > 0x7f) return false
  }
  return true
}

function escapeBytes(latin1: string): string {
  let shown = ''
  for (let at = 0; at < latin1.length;) {
    const code = latin1.charCodeAt(at)
    const need = sequenceLength(code)
    const isWhole = need > 0 && continuationsAt(latin1, at, need) === need - 1
    if (!isWhole || code === 0x5c) {
      shown += `\\x${code.toString(16).padStart(2, '0')}`
      at += 1
    } else {
      shown += Buffer.from(latin1.slice(at, at + need), 'latin1').toString('utf8')
      at += need
    }
  }
  return shown
}

/** Bytes of the UTF-8 sequence that this byte begins; 0 for a byte that begins none (RFC 3629, section 4). */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1
  if (lead < 0xc2) return 0
  if (lead < 0xe0) return 2
  if (lead < 0xf0) return 3
  return lead < 0xf5 ? 4 : 0
}

/** How many of the bytes after `at` continue the sequence as RFC 3629 allows, at most `need` - 1. */
function continuationsAt(latin1: string, at: number, need: number): number {
  const [low, high] = secondByte[latin1.charCodeAt(at)] ?? anyContinuation
  let count = 0
  while (count < need - 1) {
    const code = latin1.charCodeAt(at + 1 + count)
    const [from, to] = count === 0 ? [low, high] : anyContinuation
    if (!(code >= from && code <= to)) return count
    count++
  }
  return count
}

/** Continuation bytes there can be before the text itself ends. */
function leftOf(latin1: string, at: number, need: number): number {
  return Math.min(need - 1, latin1.length - at - 1)
}

const anyContinuation = [0x80, 0xbf] as const

/** Leads whose second byte is narrower: no overlong forms, no surrogates, nothing above U+10FFFF. */
const secondByte: Readonly<Record<number, readonly [number, number]>> = {
  0xe0: [0xa0, 0xbf],
  0xed: [0x80, 0x9f],
  0xf0: [0x90, 0xbf],
  0xf4: [0x80, 0x8f],
}
