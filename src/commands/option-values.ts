import { EbpfRunError } from '../errors.ts'

const timeUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  '': 1_000,
}
const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** Whether a run can take so many milliseconds: setTimeout holds 31 bits of them. */
export function isTime(ms: number): boolean {
  return ms > 0 && ms <= 2 ** 31 - 1
}

/** Whether a buffer can have so many bytes. */
export function isSize(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= 65_536 && bytes <= 16 * 1024 ** 3
}

/** A whole number from `min` on, of at most 15 digits. */
export function isCount(value: number, min: number): boolean {
  return Number.isInteger(value) && value >= min && value < 1e15
}

/** A time to milliseconds: seconds without a unit. Throws BAD_VALUE. */
export function parseTime(flag: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
  const ms = Number(number) * (timeUnits[unit] ?? Number.NaN)
  if (number === '' || !isTime(ms)) {
    throw badOption(
      flag,
      text,
      'a time from 1ms to 24 days',
      `--${flag} 60, --${flag} 500ms, --${flag} 5m`,
    )
  }
  return ms
}

/** A size to bytes. Throws BAD_VALUE. */
export function parseSize(flag: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([KMG]?)$/i.exec(text) ?? []
  const bytes = Number(number) * (sizeUnits[unit.toUpperCase()] ?? Number.NaN)
  if (number === '' || !isSize(bytes)) {
    throw badOption(flag, text, 'a size from 64K to 16G', `--${flag} 64M`)
  }
  return bytes
}

/** A whole number from `min` on. Throws BAD_VALUE. */
export function parseCount(flag: string, text: string, min: number): number {
  if (!/^\d{1,15}$/.test(text) || !isCount(Number(text), min)) {
    throw badOption(flag, text, `a whole number from ${min} on`, `--${flag} 10`)
  }
  return Number(text)
}

function badOption(flag: string, text: string, expected: string, remedy: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--${flag}: ${expected} was expected`,
    expected,
    found: JSON.stringify(text),
    remedy: `for example ${remedy}`,
  })
}
