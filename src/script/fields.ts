import type { FieldSpec } from '../schema/define.ts'
import { isSolid } from './lexer.ts'
import type { Line, Value } from './lines.ts'
import { expressionText } from './text.ts'

/** Bytes of a str() that does not say how many: bpftrace's own default. */
const shownBytes = 64

const wide: ReadonlySet<string> = new Set(['nsecs', 'elapsed', 'cgroup', 'rand', 'curtask'])
const narrow: ReadonlySet<string> = new Set(['pid', 'tid', 'uid', 'gid', 'cpu'])

/** How a value is told: as wide as its conversion prints it, for bpftrace cuts %d, %u and %x to 32 bits, with h to 16, with hh to 8. */
export function fieldOf({ expression, conversion, precision }: Value): FieldSpec {
  const code = expression.filter(isSolid).map(({ text }) => text)
  const doc = printable(expression.map(({ text }) => text).join(''))
    .replace(/\s+/g, ' ')
    .slice(0, 200)
  const [first = ''] = code
  if (conversion === 's') {
    if (/^[ku]stack$/.test(first)) return { kind: 'stack', doc }
    const bytes = Math.max(1, Math.min(precision ?? shownBytes, shownBytes))
    return { kind: 'text', bytes: first === 'comm' ? 15 : bytes, emptyIsNull: true, doc }
  }
  if (conversion.startsWith('r'))
    return { kind: 'text', bytes: 4_096, emptyIsNull: true, conversion: `%${conversion}`, doc }
  if (conversion === 'c')
    return { kind: 'text', bytes: 1, emptyIsNull: true, conversion: '%c', doc }
  if (conversion === 'p') return { kind: 'pointer', nullAs: '0', doc }
  const isSigned = /[di]$/.test(conversion)
  const [short = ''] = /^h*/.exec(conversion) ?? []
  if (short !== '')
    return isSigned
      ? { kind: 'i32', conversion: `%${short}d`, doc }
      : { kind: 'u32', conversion: `%${short}u`, doc }
  if (code.length === 1 && narrow.has(first)) return { kind: 'u32', doc }
  if (code.length === 1 && wide.has(first)) return { kind: 'u64', doc }
  const isLong = /^[lzj]/.test(conversion)
  if (isLong) return { kind: isSigned ? 'i64' : 'u64', doc }
  return isSigned ? { kind: 'i32', conversion: '%d', doc } : { kind: 'u32', conversion: '%u', doc }
}

/** The value as the program computes it. */
export function codeOf({ expression, conversion }: Value): string {
  const code = expressionText(expression)
  return conversion === 'p' ? `(uint64)(${code})` : code
}

/** What an event's page says of it: where it is printed, and how. */
export function docOf({ line, text }: Line): string {
  const words = printable(text).replace(/\s+/g, ' ').trim().slice(0, 120)
  return words === '' ? `line ${line}` : `line ${line}: ${words}`
}

/** Without what a terminal would act on: names and texts of a file that anybody may have written. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}
