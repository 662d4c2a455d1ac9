import { bucketUnits as factors } from './bucket-units.ts'
import type { KeyPart, MapShape } from '../schema/define.ts'
import type { MapEntry, MapNumber } from '../schema/kinds.ts'

/**
 * The entries of a printed map, in their order. Each entry begins with the map's name, which carries the token, so a key or a value may
 * hold line ends, brackets and what looks like another entry. Null: a form that is not known.
 */
export function readMapDump(
  lines: readonly string[],
  name: string,
  shape: MapShape,
): readonly MapEntry[] | null {
  const pieces: string[][] = []
  for (const line of lines) {
    if (line.startsWith(`${name}[`) || line.startsWith(`${name}:`))
      pieces.push([line.slice(name.length)])
    else if (pieces.length === 0 && line !== '') return null
    else pieces.at(-1)?.push(line)
  }
  const entries = pieces.map((piece) => readEntry(withoutEnd(piece), shape))
  return entries.every((entry) => entry !== null) ? (entries as MapEntry[]) : null
}

/** Without the empty lines that follow an entry. */
function withoutEnd(lines: readonly string[]): readonly string[] {
  const end = lines.findLastIndex((line) => line !== '')
  return lines.slice(0, end + 1)
}

function readEntry(lines: readonly string[], shape: MapShape): MapEntry | null {
  // What looks like a bucket in a text is a part of it.
  const last =
    shape.value === 'text'
      ? lines.length - 1
      : lines.findLastIndex((line) => readBucket(line) === null)
  const buckets = lines.slice(last + 1).flatMap((line) => readBucket(line) ?? [])
  const head = lines.slice(0, last + 1).join('\n')
  if (buckets.length > 0) {
    const key = /^(?:\[([^]*)\])?: ?$/.exec(head)
    return key === null ? null : { ...keyOf(key[1], shape.key), buckets }
  }
  if (head.startsWith(':')) return { key: null, ...figuresOf(head.slice(1), shape.value) }
  return readKeyed(head, shape)
}

/**
 * A key in brackets and its value. Both can hold a bracket with a colon: the last one is the right one where the value is a number, and
 * any that leaves a number where the key has one may be, where the value is a text.
 */
function readKeyed(head: string, { key: parts, value }: MapShape): MapEntry | null {
  const ends: number[] = []
  for (let at = head.indexOf(']:'); at !== -1; at = head.indexOf(']:', at + 1)) ends.push(at)
  const last = ends.at(-1)
  if (last === undefined) return null
  const fits = (end: number): boolean => isKey(head.slice(1, end), parts)
  const isFigure = /^ (?:-?\d+|count \d+, .*|\{ \.count = .*)$/.test(head.slice(last + 2))
  const possible = value === 'number' && isFigure ? [last] : ends.filter(fits)
  const [end] = possible
  if (end === undefined || possible.length > 1)
    return { key: [head.slice(1)], value: '', unsplit: true }
  return { ...keyOf(head.slice(1, end), parts), ...figuresOf(head.slice(end + 2), value) }
}

/** Whether a text can be a key of these parts. */
function isKey(text: string, parts: readonly KeyPart[]): boolean {
  if (parts.length === 0) return true
  const pieces = parts.length === 1 ? [text] : splitKey(text, parts)
  return pieces === null || pieces.every((piece, at) => parts[at] !== 'number' || isNumber(piece))
}

const isNumber = (text: string): boolean => /^-?\d{1,20}$/.test(text)

/** What stands behind a key's colon: a number, the figures of stats(), a text or a stack. */
function figuresOf(
  text: string,
  kind: KeyPart,
): Pick<MapEntry, 'value' | 'count' | 'average' | 'total'> {
  const plain = text.replace(/^ /, '')
  const stats =
    /^count (\d+), average (-?\d+), total (-?\d+)$/.exec(plain) ??
    /^\{ \.count = (\d+), \.average = (-?\d+), \.total = (-?\d+) \}$/.exec(plain)
  if (stats !== null && kind !== 'text') {
    const [, count = '', average = '', total = ''] = stats
    return { count: numberOf(count), average: numberOf(average), total: numberOf(total) }
  }
  if (kind === 'text') return { value: plain }
  return { value: isNumber(plain) ? numberOf(plain) : valueOf(text) }
}

function valueOf(text: string): string | readonly string[] {
  return text.startsWith('\n') || text.startsWith(' \n') ? framesOf(text) : text.replace(/^ /, '')
}

function framesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** The parts of a printed key. */
function keyOf(
  text: string | undefined,
  parts: readonly KeyPart[],
): Pick<MapEntry, 'key'> & { readonly unsplit?: true } {
  if (text === undefined) return { key: null }
  const kinds = parts.length === 0 ? (['any'] as const) : parts
  if (kinds.length === 1) return { key: [partOf(text, kinds[0] ?? 'any')] }
  const pieces = splitKey(text, kinds)
  return pieces === null
    ? { key: [text], unsplit: true }
    : { key: pieces.map((piece, at) => partOf(piece, kinds[at] ?? 'any')) }
}

/** Parts are joined by a comma, which texts can hold too: numbers from both sides leave one text between them. */
function splitKey(text: string, kinds: readonly KeyPart[]): readonly string[] | null {
  const pieces = text.split(/, ?/)
  const plain = text.split(', ')
  const found = [plain, pieces].find((each) => each.length === kinds.length)
  if (found !== undefined) return found
  const isText = kinds.map((kind) => kind !== 'number')
  if (isText.filter(Boolean).length !== 1 || plain.length < kinds.length) return null
  const at = isText.indexOf(true)
  const after = kinds.length - at - 1
  const middle = plain.slice(at, plain.length - after).join(', ')
  return [...plain.slice(0, at), middle, ...plain.slice(plain.length - after, plain.length)]
}

function partOf(text: string, kind: KeyPart): MapNumber | readonly string[] {
  if (kind === 'stack') return framesOf(text)
  if (kind === 'text') return text
  return isNumber(text) ? numberOf(text) : text
}

function numberOf(digits: string): MapNumber {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : digits
}

/** `[2K, 4K)   7 |@@@ |`; `[0]`; `(..., 0)`; `[100, ...)`. */
const bucketLine =
  /^(?:\[(-?\d+)([KMGTPE]?)\]|[[(](\.\.\.|-?\d+)([KMGTPE]?), (\.\.\.|-?\d+)([KMGTPE]?)\))\s+(\d{1,16}) \|[@ ]*\|$/

function readBucket(line: string): NonNullable<MapEntry['buckets']>[number] | null {
  const found = bucketLine.exec(line)
  if (found === null) return null
  const [, one, oneUnit = '', low = '', lowUnit = '', high = '', highUnit = '', count = ''] = found
  if (one !== undefined) {
    const ge = Number(one) * (factors[oneUnit] ?? 1)
    return { ge, lt: ge + 1, count: Number(count) }
  }
  const bound = (digits: string, unit: string): number | null =>
    digits === '...' ? null : Number(digits) * (factors[unit] ?? 1)
  return { ge: bound(low, lowUnit), lt: bound(high, highUnit), count: Number(count) }
}
