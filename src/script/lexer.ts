import { EbpfRunError } from '../errors.ts'

export type TokenKind =
  | 'space'
  | 'comment'
  | 'preprocessor'
  | 'string'
  | 'number'
  | 'word'
  | 'variable'
  | 'map'
  | 'positional'
  | 'path'
  | 'sign'

/** A piece of a bpftrace script. All pieces in a row are the script, character by character. */
export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** From 1. */
  readonly line: number
  /** What it was before an argument was put in its place: `$1`. */
  readonly origin?: string
}

/*
 * The words of bpftrace's own lexer (src/lexer.l, 0.11 to 0.27), as far as they decide where a string, a comment or a name ends.
 * Sticky, tried in this order.
 */
const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['space', /\s+/y],
  ['comment', /\/\/[^\n]*/y],
  ['comment', /\/\*[^]*?\*\//y],
  ['string', /"(?:\\[^]|[^"\\])*"/y],
  ['number', /0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:[eE][0-9]+)?(?:[a-zA-Z]+)?/y],
  ['variable', /\$[A-Za-z_][A-Za-z0-9_]*/y],
  ['positional', /\$(?:[0-9]+|#)/y],
  ['map', /@[A-Za-z0-9_]*/y],
  ['word', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['sign', /->|<<=|>>=|\+\+|--|&&|\|\||[=!<>]=|<<|>>|[-+*/%&|^]=|\.\.|[^]/y],
]

/** Outside blocks a colon may begin the path of an attach point, in which two slashes are no comment. */
const path = /:[-\w./*#+~$@[\]]*\/[-\w./*#+~$@[\]]*/y
/** `f@GLIBC_2.2` in an attach point is no map. */
const symbolVersion = /@@?[A-Za-z0-9_.]+/y
const preprocessor = /#(?:\\\n|[^\n])*/y

/** Cuts a script into its pieces. Throws BAD_SCRIPT for a string or a comment without an end. */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1
  let depth = 0
  while (at < source.length) {
    const rest =
      source[at] === '#' && isLineStart(source, at) ? take(preprocessor, source, at) : null
    const asPath = depth === 0 && source[at] === ':' ? take(path, source, at) : null
    const version =
      depth === 0 && /\w/.test(source[at - 1] ?? '') ? take(symbolVersion, source, at) : null
    const [kind, text] =
      rest !== null
        ? (['preprocessor', rest] as const)
        : asPath !== null
          ? (['path', asPath] as const)
          : version !== null
            ? (['word', version] as const)
            : plain(source, at)
    if (
      (kind === 'sign' && text === '"') ||
      source.startsWith('/*', at) !== (kind === 'comment' && text.startsWith('/*'))
    )
      throw scriptError(line, `${text === '"' ? 'a string' : 'a comment'} that does not end`)
    if (kind === 'sign' && text === '{') depth += 1
    if (kind === 'sign' && text === '}') depth -= 1
    tokens.push({ kind, text, line })
    line += text.split('\n').length - 1
    at += text.length
  }
  return tokens
}

function isLineStart(source: string, at: number): boolean {
  return /^[ \t]*$/.test(source.slice(source.lastIndexOf('\n', at - 1) + 1, at))
}

function plain(source: string, at: number): readonly [TokenKind, string] {
  for (const [kind, pattern] of patterns) {
    const text = take(pattern, source, at)
    if (text !== null) return [kind, text]
  }
  throw new Error('every character is a sign')
}

function take(pattern: RegExp, source: string, at: number): string | null {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0] ?? null
}

export function scriptError(line: number, message: string, remedy?: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_SCRIPT',
    message: `line ${line}: ${message}`,
    ...(remedy === undefined ? {} : { remedy }),
  })
}

/** What counts: neither space nor comment. */
export function isSolid({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'comment'
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '"': '"',
  '\\': '\\',
}

/** What a string of a script says, one character a byte; null: it has an escape that bpftrace does not know. */
export function stringValue({ text }: Token): string | null {
  let isKnown = true
  const value = text
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([^]))/g,
      (_, hex?: string, octal?: string, one?: string) => {
        if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255)
        const known = escapes[one ?? '']
        if (known === undefined) isKnown = false
        return known ?? ''
      },
    )
  return isKnown ? value : null
}
