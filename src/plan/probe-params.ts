import { EbpfRunError } from '../errors.ts'
import type { ProbeParam, ProbeSpec } from '../schema/define.ts'
import { nanoseconds, timeUnits, wholeNumber } from './quantities.ts'

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
