import type { FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import type { RecordLayout } from '../wire/layout.ts'
import type { Dialect } from './dialect.ts'

/** The printf of one record: token, code, closed fields, texts. `values` are the rendered expressions in the layout's order. */
export function recordPrintf(
  { code, closed, texts }: Pick<RecordLayout, 'code' | 'closed' | 'texts'>,
  values: readonly string[],
  token: string,
  dialect: Dialect,
): string {
  const inText = dialect.token === 'text'
  const mark = inText ? token : '%lx'
  const conversions = closed.map(
    ({ spec }) => `\\t${inText ? longConversion(spec) : shortConversion(spec)}`,
  )
  // A letter behind %lx would be taken for a part of it.
  const isSpelled = !inText && /[a-z]/.test(code)
  const format = `${mark}${isSpelled ? '%s' : code}${conversions.join('')}${texts.map(({ spec }) => `${mark}\\t${spec.conversion ?? '%s'}`).join('')}${mark}\\n`
  const marker = inText ? [] : [`0x${token}`]
  const args = [
    ...marker,
    ...(isSpelled ? [`"${code}"`] : []),
    ...values.slice(0, closed.length),
    ...values.slice(closed.length).flatMap((text) => [...marker, text]),
    ...marker,
  ]
  return `printf("${format}"${args.map((arg) => `, ${arg}`).join('')});`
}

/** Heartbeat or end record with the kernel's time, or a mark with its CPU. */
export function controlPrintf(
  code: string,
  token: string,
  dialect: Dialect,
  value = 'nsecs',
): string {
  const closed = [{ name: 'ktime_ns', spec: { kind: 'ktime', doc: '' } as const }]
  return recordPrintf({ code, closed, texts: [] }, [value], token, dialect)
}

/** Name of the per-CPU count beside one emit. */
export function counterName(token: string, code: string, site: number): string {
  return `@n_${token}_${code}_${site}`
}

/** Name of the per-CPU count of what did not fit into a map of the template. */
export function fullName(token: string): string {
  return `@f_${token}`
}

/** Name of the per-CPU count of events that are in no group because nobody knows whose they are. */
export function unownedName(token: string): string {
  return `@w_${token}`
}

/** What a record takes of a program's stack where it is put together there: itself, and each of its texts a second time. */
export function bytesOnStack({ closed, texts }: Pick<RecordLayout, 'closed' | 'texts'>): number {
  const numbers = closed.reduce(
    (sum, { spec }) => sum + (longConversion(spec) === '%s' ? 24 : 8),
    8,
  )
  const ofTexts = texts.reduce((sum, { spec }) => sum + (spec.bytes ?? 0) + 2, 0)
  return numbers + 2 * ofTexts
}

function longConversion(spec: FieldSpec): string {
  if (spec.conversion !== undefined) return spec.conversion
  return isSigned(spec) ? '%lld' : kinds[spec.kind].printf
}

function isSigned(spec: FieldSpec): boolean {
  return kinds[spec.kind].printf === '%lld' || (typeof spec.nullAs === 'number' && spec.nullAs < 0)
}

const wide: ReadonlySet<string> = new Set(['ktime', 'u64', 'duration', 'count', 'load'])

/** Formats are limited to 64 bytes on 0.11: %u where 32 bits are all there is. */
function shortConversion(spec: FieldSpec): string {
  if (spec.conversion !== undefined) return spec.conversion
  if (kinds[spec.kind].printf === '%s') return '%s'
  if (spec.kind === 'pointer') return '%lx'
  if (spec.kind === 'i64' || spec.wide === true) return '%ld'
  if (wide.has(spec.kind)) return '%lu'
  return isSigned(spec) ? '%d' : '%u'
}
