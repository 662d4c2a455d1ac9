import { isIP } from 'node:net'
import { EbpfRunError } from '../errors.ts'
import type { FieldSpec } from '../schema/define.ts'
import { codeRange, deviceText, kinds, loadOf, resultName } from '../schema/kinds.ts'
import { flagsText } from '../schema/names.ts'
import type { FaultReason } from './decoder.ts'

/** A closed field that broke its kind's rules. */
export class Bad {
  readonly reason: FaultReason
  constructor(reason: FaultReason) {
    this.reason = reason
  }
}

/** The text of a closed field to its value, or `Bad`. */
export type ReadClosed = (text: string) => unknown

type ReadKind = (text: string, spec: FieldSpec, addresses: Addresses) => unknown

/** Known addresses to their shown form. */
export interface Addresses {
  /** The shown form, or null when the text is no address. */
  read(text: string): string | null
}

const bad = {
  number: new Bad('number'),
  range: new Bad('range'),
  address: new Bad('address'),
}

const maxU64 = '18446744073709551615'
/** As many digits as `maxU64` has. */
const maxDigits = maxU64.length

/** How each closed kind is read. Numbers are canonical decimals, as printf writes them: no sign but `-`, no leading 0. */
const readers: Readonly<Record<string, ReadKind>> = {
  u8: (text) => readInteger(text, kinds.u8.json),
  u16: (text) => readInteger(text, kinds.u16.json),
  u32: (text) => readInteger(text, kinds.u32.json),
  i32: (text) => readInteger(text, kinds.i32.json),
  duration: (text) => readInteger(text, kinds.duration.json),
  count: (text) => readInteger(text, kinds.count.json),
  u64: readDigits,
  i64: readSignedDigits,
  pointer: (text) => (/^(?:0|[1-9a-f][0-9a-f]{0,15})$/.test(text) ? `0x${text}` : bad.number),
  ktime: readDigits,
  device: (text) => deviceOf(readInteger(text, kinds.u32.json)),
  load(text) {
    const fixed = readInteger(text, kinds.count.json)
    return fixed instanceof Bad ? fixed : loadOf(fixed)
  },
  enum: (text, spec) =>
    spec.flags === undefined
      ? named(readDigits(text), spec.names ?? {})
      : flagged(readInteger(text, kinds.u32.json), spec.flags),
  result: (text, spec) => withName(readInteger(text, codeRange(spec.wide === true)), spec),
  address: (text, _spec, addresses) => addresses.read(text) ?? bad.address,
}

/** What a field can hold on the wire that means null. Nobody's address is that of IPv4 too, as it is and v4-mapped. */
export function nullTexts({ kind, nullAs }: FieldSpec): readonly string[] {
  if (nullAs === undefined) return []
  return kind === 'address' && nullAs === '::'
    ? ['::', '0.0.0.0', '::ffff:0.0.0.0']
    : [String(nullAs)]
}

/** The reader of one closed field. Throws BAD_DEFINITION for a kind that is not closed. */
export function createClosedReader(spec: FieldSpec, addresses: Addresses): ReadClosed {
  const read = readers[spec.kind]
  if (!read) {
    throw new EbpfRunError({
      code: 'BAD_DEFINITION',
      message: `kind ${spec.kind} does not travel as a closed field`,
    })
  }
  if (spec.nullAs === undefined) return (text) => read(text, spec, addresses)
  const texts = nullTexts(spec)
  return (text) => (texts.includes(text) ? null : read(text, spec, addresses))
}

/** Reads addresses and remembers the last `limit` of them: one busy host has few peers, and checking is slow. */
export function createAddresses(limit = 4096): Addresses {
  const known = new Map<string, string>()
  return {
    read(text) {
      const hit = known.get(text)
      if (hit !== undefined) return hit
      const shown = readAddress(text)
      if (shown === null) return null
      if (known.size >= limit) known.clear()
      known.set(detached(text), shown)
      return shown
    },
  }
}

function readAddress(text: string): string | null {
  if (!/^[0-9a-f:.]{2,45}$/.test(text) || isIP(text) === 0) return null
  const plain = detached(text)
  const mapped = plain.startsWith('::ffff:') ? plain.slice('::ffff:'.length) : ''
  return isIP(mapped) === 4 ? mapped : plain
}

/** A copy of its own: a slice would keep the whole chunk alive for as long as the map remembers it. */
function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function readInteger(text: string, range: { minimum: number; maximum: number }): number | Bad {
  const isNegative = range.minimum < 0 && text.charCodeAt(0) === minus
  if (!isCanonical(text, isNegative ? 1 : 0) || text === '-0') return bad.number
  const value = Number(text)
  return value < range.minimum || value > range.maximum ? bad.range : value
}

function readDigits(text: string): string | Bad {
  if (!isCanonical(text, 0)) return bad.number
  const isLarge = text.length >= maxDigits && (text.length > maxDigits || text > maxU64)
  return isLarge ? bad.range : text
}

const maxI64 = '9223372036854775807'
const minI64 = '9223372036854775808'

function readSignedDigits(text: string): string | Bad {
  const isNegative = text.charCodeAt(0) === minus
  if (!isCanonical(text, isNegative ? 1 : 0) || text === '-0') return bad.number
  const digits = isNegative ? text.slice(1) : text
  const limit = isNegative ? minI64 : maxI64
  const isLarge = digits.length > limit.length || (digits.length === limit.length && digits > limit)
  return isLarge ? bad.range : text
}

/** Digits only from `from` on, at least one, no leading 0. */
function isCanonical(text: string, from: number): boolean {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < zero || code > nine) return false
  }
  return text.length === from + 1 || (text.length > from && text.charCodeAt(from) !== zero)
}

const minus = 0x2d
const zero = 0x30
const nine = 0x39

function deviceOf(number: number | Bad): string | Bad {
  return number instanceof Bad ? number : deviceText(number)
}

function named(digits: string | Bad, names: Readonly<Record<string, string>>): string | Bad {
  if (digits instanceof Bad) return digits
  return Object.hasOwn(names, digits) ? (names[digits] ?? '') : `UNKNOWN_${digits}`
}

function flagged(number: number | Bad, flags: readonly string[]): string | Bad {
  return number instanceof Bad ? number : flagsText(number, flags)
}

function withName(code: number | Bad, { names }: FieldSpec): unknown {
  return code instanceof Bad ? code : { code, name: names?.[code] ?? resultName(code) }
}
