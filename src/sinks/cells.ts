import { resultOf } from '../schema/csv.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Kind } from '../schema/kinds.ts'
import { isUnsafe, safeText } from './safe-text.ts'

/** What a cell needs to know beside the value. */
interface CellContext {
  readonly name: string
  readonly event: AnyEvent
  readonly utc: boolean
}

const asIs = (value: unknown) => safeText(String(value))

const milliseconds = (ns: number) => (ns / 1e6).toFixed(3)

/** How a table shows a value of each kind. */
const show: Record<Kind, (value: unknown, context: CellContext) => string> = {
  u8: asIs,
  u16: asIs,
  u32: asIs,
  i32: asIs,
  u64: (value, { name }) => asIs(name.endsWith('_ns') ? milliseconds(Number(value)) : value),
  i64: asIs,
  pointer: asIs,
  ktime: asIs,
  duration: (value) => (typeof value === 'number' ? milliseconds(value) : asIs(value)),
  address: asIs,
  device: asIs,
  load: (value) => (typeof value === 'number' ? value.toFixed(2) : asIs(value)),
  enum: asIs,
  result: (value) => asIs(resultOf(value)?.name ?? value),
  text: (value) => (value === '' || value === '-' ? `'${value}'` : asIs(value)),
  path: asIs,
  texts: (value, context) => (Array.isArray(value) ? shellLine(value, context) : asIs(value)),
  stack: (value) => asIs(Array.isArray(value) ? value.join(' < ') : value),
  time: (value, { utc }) => clockTime(String(value), utc),
  constant: asIs,
  family: asIs,
  errno: asIs,
  container: asIs,
  count: asIs,
  buckets: (value) => (Array.isArray(value) ? asIs(JSON.stringify(value)) : asIs(value)),
  output: asIs,
  entries: (value) => (Array.isArray(value) ? asIs(JSON.stringify(value)) : asIs(value)),
}

/**
 * The cell of a field: blank where this event type has no such field, `-` for null, else the value with
 * everything written out that a terminal could act on; `…` ends what the kernel's or our limit cut.
 */
export function cellText(
  event: AnyEvent,
  column: { readonly name: string; readonly kind: Kind },
  utc: boolean,
): string {
  const { name, kind } = column
  const value = event[name]
  if (value === undefined) return ''
  if (value === null) return '-'
  const text = show[kind](value, { name, event, utc })
  if (event.cut?.includes(name) !== true) return text
  return kind === 'texts' ? `${text} …` : `${text}…`
}

/** RFC 3339 in UTC -> HH:MM:SS.mmm, cut to milliseconds, in this machine's time zone unless `utc`. */
function clockTime(time: string, utc: boolean): string {
  const date = new Date(`${time.slice(0, 23)}Z`)
  if (utc || Number.isNaN(date.getTime())) return safeText(time.slice(11, 23))
  const two = (part: number) => String(part).padStart(2, '0')
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${clock}.${time.slice(20, 23)}`
}

/** Words as one could type them into bash; `?` for one that could not be read, `…` after one that was cut. */
function shellLine(words: readonly unknown[], { name, event }: CellContext): string {
  const shown = words.map((word, index) => {
    if (word === null) return '?'
    const item = `${name}[${index}]`
    const isEscaped = event.escaped?.includes(item) === true
    return (
      shellWord(typeof word === 'string' ? word : JSON.stringify(word), isEscaped) +
      (event.cut?.includes(item) === true ? '…' : '')
    )
  })
  const line = shown.join(' ')
  return line === '-' ? "'-'" : line
}

const needsQuotes = /^$|[\s"'`$&|;<>()*?[\]#~!{}\\…]/u

function shellWord(word: string, isEscaped: boolean): string {
  if (isEscaped) return ansiQuoted(word, /'/g)
  if (isUnsafe(word)) return ansiQuoted(word, /[\\']/g)
  if (!needsQuotes.test(word)) return word
  if (word.includes("'") && !/["$`\\!]/.test(word)) return `"${word}"`
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}

function ansiQuoted(word: string, marks: RegExp): string {
  return `$'${safeText(word.replaceAll(marks, (mark) => `\\${mark}`))}'`
}
