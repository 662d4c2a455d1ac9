import { EbpfRunError } from '../errors.ts'
import type { FieldSpec } from '../schema/define.ts'
import { linearBuckets, type LinearRange } from '../wire/groups.ts'
import { bytes, nanoseconds, signedNumber } from './quantities.ts'

/** As many as bpftrace's lhist() takes. */
const mostBuckets = 1_000

/**
 * `MIN..MAX/STEP`, each in the field's unit, such as `0..10ms/500us` of a duration, `0..64K/4K` of bytes, `-20..20/1` of a number.
 * Throws BAD_VALUE.
 */
export function parseLinearRange(flag: string, text: string, spec: FieldSpec): LinearRange {
  const { read, example } = formOf(spec)
  const [min, max, step] = (/^([^/]+)\.\.([^/]+)\/([^/]+)$/.exec(text) ?? [])
    .slice(1)
    .map((each) => read(each))
  const refused = (expected: string) =>
    new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--${flag}: ${expected}`,
      expected: 'MIN..MAX/STEP',
      found: JSON.stringify(text),
      remedy: `for example --${flag} ${example}`,
    })
  if (!isNumber(min) || !isNumber(max) || !isNumber(step))
    throw refused('MIN..MAX/STEP was expected, in the unit of the field')
  if (step <= 0 || max <= min) throw refused('a range that grows by steps was expected')
  const range = { min, max, step }
  const buckets = linearBuckets(range)
  if (!Number.isInteger(buckets)) throw refused('MAX must be a whole number of steps above MIN')
  if (buckets > mostBuckets)
    throw refused(`at most ${mostBuckets} buckets were expected, and these are ${buckets}`)
  return range
}

const isNumber = (value: number | null | undefined): value is number =>
  value !== null && value !== undefined

function formOf({ kind, unit }: FieldSpec): {
  read(text: string): number | null
  readonly example: string
} {
  if (kind === 'duration' || unit === 'ns') return { read: nanoseconds, example: '0..10ms/500us' }
  if (unit === 'bytes') return { read: bytes, example: '0..64K/4K' }
  return { read: signedNumber, example: '0..100/5' }
}
