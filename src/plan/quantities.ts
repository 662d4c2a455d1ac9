/** Nanoseconds of a unit, the largest first. */
export const timeUnits = {
  h: 3_600_000_000_000,
  m: 60_000_000_000,
  s: 1_000_000_000,
  ms: 1_000_000,
  us: 1_000,
  ns: 1,
} as const

/** Digits alone; null for anything else. */
export function wholeNumber(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** A time to nanoseconds, null for none. Digits alone have no unit, so they are no time, except 0. A part of a nanosecond is none either. */
export function nanoseconds(text: string): number | null {
  if (text === '0') return 0
  const [, whole = '', part = '', unit = ''] =
    /^(\d{1,15})(?:\.(\d{1,12}))?(ns|us|ms|s|m|h)$/.exec(text) ?? []
  if (whole === '') return null
  // In whole numbers: 0.1 has no exact double.
  const scaled = BigInt(whole + part) * BigInt(timeUnits[unit as keyof typeof timeUnits])
  const divisor = 10n ** BigInt(part.length)
  const ns = scaled / divisor
  return scaled % divisor === 0n && ns <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(ns) : null
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** A size to bytes, null for none: 1460, 64K, 1M. */
export function bytes(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,12})([KMG]?)$/.exec(text) ?? []
  const size = Number(digits) * (sizeUnits[unit] ?? Number.NaN)
  return digits !== '' && Number.isSafeInteger(size) ? size : null
}

/** A whole number with its sign; null for anything else. */
export function signedNumber(text: string): number | null {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : null
}
