import { EbpfRunError } from '../errors.ts'
import type { ProbeParam, ProbeSpec } from '../schema/define.ts'

/** Nanoseconds of a unit, the largest first. */
const timeUnits = {
  h: 3_600_000_000_000,
  m: 60_000_000_000,
  s: 1_000_000_000,
  ms: 1_000_000,
  us: 1_000,
  ns: 1,
} as const

/**
 * The values of a probe's own options: texts to the numbers that its template reads, defaults for those that are not given. Throws
 * BAD_VALUE, also for a name that is none.
 */
export function parseParams(
  spec: ProbeSpec,
  texts: Readonly<Record<string, string>>,
): Readonly<Record<string, number>> {
  const params = spec.params ?? {}
  const unknown = Object.keys(texts).find((name) => !Object.hasOwn(params, name))
  if (unknown !== undefined)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${spec.name} has no option '${unknown}' of its own`,
      expected: Object.keys(params).join(', ') || 'none',
      found: unknown,
    })
  return Object.fromEntries(
    Object.entries(params).map(([name, param]) => {
      const text = texts[name]
      return [name, text === undefined ? param.default : parseParam(name, param, text)] as const
    }),
  )
}

/** A value as a user would type it: `0`, `10`, `10ms`. */
export function paramText({ unit }: ProbeParam, value: number): string {
  if (unit === undefined || value === 0) return String(value)
  const [name, size] = Object.entries(timeUnits).find(([, each]) => value % each === 0) ?? ['ns', 1]
  return `${value / size}${name}`
}

function parseParam(name: string, param: ProbeParam, text: string): number {
  const value = param.unit === 'ns' ? nanoseconds(text) : wholeNumber(text)
  if (value !== null && value >= param.min && value <= param.max) return value
  const [least, most] = [paramText(param, param.min), paramText(param, param.max)]
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--${name}: ${param.unit === 'ns' ? 'a time with its unit' : 'a whole number'} from ${least} to ${most} was expected`,
    found: JSON.stringify(text),
    remedy: `for example --${name} ${param.unit === 'ns' ? '10ms, 1.5s or 250us' : most}`,
  })
}

function wholeNumber(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** Digits alone have no unit, so they are no time, except 0. A part of a nanosecond is none either. */
function nanoseconds(text: string): number | null {
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
