import stringWidth from 'string-width'

const plain = /^[\x20-\x7e]*$/
const oneColumnEach = /^[\x20-\x7e…]*$/

/**
 * What may move a cursor, reorder a line or hide in it: controls (C0, DEL, C1), format characters (bidi controls,
 * zero-width ones), line and paragraph separators, lone surrogates, whatever Unicode calls ignorable (soft hyphen, Hangul
 * fillers, variation selectors, tags), and combining marks with nothing of their own to stand on or more than two in a row.
 */
const unsafe =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|^\p{M}|(?<=[\s\p{Cc}\p{Cf}])\p{M}|(?<=\p{M}\p{M})\p{M}/gu

const shortEscapes: Readonly<Record<string, string>> = {
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
}

/** The text with every character that a terminal could act on written out: `\n`, `\x1b`, `\u202e`. */
export function safeText(text: string): string {
  return plain.test(text) ? text : text.replace(unsafe, escapeOf)
}

/** True when `safeText` would change the text. */
export function isUnsafe(text: string): boolean {
  return safeText(text) !== text
}

/** The same for JSON text: JSON's own escapes, so the value stays what it was. Line feeds stay. */
export function safeJson(json: string): string {
  return json.replace(unsafe, (character) =>
    character === '\n' ? character : jsonEscape(character),
  )
}

/** Terminal columns that a safe text takes. */
export function displayWidth(text: string): number {
  return oneColumnEach.test(text) ? text.length : stringWidth(text)
}

/** The text cut to a number of terminal columns; `…` takes the last one when something is cut. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  if (width < 1) return ''
  let kept = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += displayWidth(segment)
    if (used > width - 1) break
    kept += segment
  }
  return `${kept}…`
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Above 0x7f never `\xNN`: that is how an event shows a byte, and U+009B is not the byte 9b. */
function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  if (code < 0x80) return shortEscapes[character] ?? `\\x${hex.padStart(2, '0')}`
  return code > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
}

function jsonEscape(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
