import { EbpfRunError } from '../errors.ts'

/*
 * Pieces of generated source (compile.ts). In it `b` is the input (`words` the same as a view), `i` where reading
 * stands, `c` one character, `o` where the output goes on. A field `pid` lies in [pid$from, pid$to); its number is pid$n.
 */

/** Something to write: constant text, or statements that write and move `o`. */
export type Piece = { readonly text: string } | { readonly code: string }

/** A field's name as the beginning of variables in generated source. Throws BAD_DEFINITION for any other. */
export function variable(name: string): string {
  if (/^[a-z][a-z0-9_]*$/.test(name)) return name
  throw new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `'${name}' is no field name`,
    expected: 'lower case letters, digits and _',
  })
}

/** An expression: the token stands at `i`. Whole words first, then what is left of it. */
export function isToken(token: string): string {
  const bytes = Buffer.from(token, 'latin1')
  const whole = token.length - (token.length % 4)
  const tests: string[] = []
  for (let at = 0; at < whole; at += 4) {
    tests.push(`words.getUint32(i + ${at}) === ${bytes.readUInt32BE(at)}`)
  }
  for (let at = whole; at < token.length; at++) tests.push(`b[i + ${at}] === ${bytes[at]}`)
  return tests.join(' && ')
}

/** An expression: the field's bytes are exactly this text. */
export function isText(name: string, text: string): string {
  const same = [...text].map(
    (char, index) => ` && b[${name}$from + ${index}] === ${charCode(char)}`,
  )
  return `${name}$to - ${name}$from === ${text.length}${same.join('')}`
}

/** Statements that write all pieces; constants that follow each other are written as one. */
export function writePieces(pieces: readonly Piece[]): string {
  let source = ''
  let constant = ''
  for (const piece of pieces) {
    if ('text' in piece) {
      constant += piece.text
      continue
    }
    source += writeText(constant) + piece.code
    constant = ''
  }
  return source + writeText(constant)
}

/** Four bytes a store; the last store may write past the text, over what follows anyway. */
export function writeText(text: string): string {
  if (text === '') return ''
  const bytes = Buffer.from(text, 'latin1')
  const stores: string[] = []
  for (let at = 0; at < bytes.length; at += 4) {
    const word = Buffer.alloc(4)
    bytes.copy(word, 0, at)
    stores.push(`view.setUint32(o + ${at}, ${word.readUInt32BE()})`)
  }
  // U+2028 ends a comment too.
  const shown = text.replaceAll(/[^ -~]/g, '?')
  return `
    // ${shown}
    ${stores.join('; ')}
    o += ${bytes.length}`
}

/** Statements that copy the field's bytes, four at a time: what is copied too much is written over. */
export function copyField(name: string): string {
  return `
    for (let k = ${name}$from, to = o; k < ${name}$to; k += 4, to += 4) view.setUint32(to, words.getUint32(k))
    o += ${name}$to - ${name}$from`
}

/** Statements that write the bytes of an array given by an expression. */
export function writeBytes(bytes: string): string {
  return `
    for (let k = 0, bytes = ${bytes}; k < bytes.length; k++) output[o++] = bytes[k]`
}

/** Statements that write one or the other. */
export function choose(
  condition: string,
  whenTrue: readonly Piece[],
  whenFalse: readonly Piece[],
): string {
  return `
    if (${condition}) {${writePieces(whenTrue)}
    } else {${writePieces(whenFalse)}
    }`
}

export function charCode(char: string): number {
  return char.charCodeAt(0)
}
