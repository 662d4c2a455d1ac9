/** A piece of a format: text as it is, or the place of a value. */
export type FormatPiece =
  | { readonly is: 'text'; readonly text: string }
  | {
      readonly is: 'value'
      /** `-16`, `6.2`, `03`: how it was to be padded. */
      readonly width: string
      /** `d`, `llu`, `s`. */
      readonly conversion: string
      readonly precision: number | null
    }

const conversion = /%(?:%|([-+ #0]*\d*)(?:\.(\d+))?(r[xh]|(?:hh|h|ll|l|z|j)?[diuxXcpsr]))/y

/** The pieces of a printf's format; null for one that no bpftrace knows. */
export function parseFormat(format: string): readonly FormatPiece[] | null {
  const pieces: FormatPiece[] = []
  let text = ''
  let at = 0
  while (at < format.length) {
    if (format[at] !== '%') {
      text += format[at]
      at += 1
      continue
    }
    conversion.lastIndex = at
    const found = conversion.exec(format)
    if (found === null) return null
    const [whole, width = '', precision, letters] = found
    at += whole.length
    if (letters === undefined) text += '%'
    else {
      if (text !== '') pieces.push({ is: 'text', text })
      text = ''
      pieces.push({
        is: 'value',
        width,
        conversion: letters,
        precision: precision === undefined ? null : Number(precision),
      })
    }
  }
  if (text !== '') pieces.push({ is: 'text', text })
  return pieces
}

/** A text in its place: `%-9s`, `%.10s`. */
export function padded(value: string, width: string, precision: number | null): string {
  const shown = precision === null ? value : value.slice(0, precision)
  const [, left = '', columns = '0'] = /^[+ #0]*(-?)[-+ #0]*(\d*)$/.exec(width) ?? []
  return left === '' ? shown.padStart(Number(columns)) : shown.padEnd(Number(columns))
}
