import { EbpfRunError } from '../errors.ts'
import { isSolid, type Token } from './lexer.ts'
import { closing, isSign, type Section } from './sections.ts'
import { nextSolid } from './statements.ts'

/**
 * A script with its arguments put in, as numbers and texts of its own language: nothing of them is read as program.
 * `sections` says what is an attach point. Throws BAD_VALUE for one that does not fit where it is used.
 */
export function withArguments(
  tokens: readonly Token[],
  sections: readonly Section[],
  args: readonly string[],
): readonly Token[] {
  // A predicate is an expression as a block's are.
  const inner = sections.map(({ from, open, close }) => {
    const slash = tokens.slice(from, open).findIndex((token) => isSign(token, '/'))
    return { first: slash === -1 ? open : from + slash, close }
  })
  const isInside = (at: number): boolean =>
    inner.some(({ first, close }) => at > first && at < close)
  const made = [...tokens]
  for (const [at, token] of tokens.entries()) {
    if (token.kind === 'path' && !isInside(at)) {
      const text = token.text.replace(/\$(\d+)/g, (_, digits: string) =>
        attachText(argument(args, digits), digits),
      )
      made[at] = { ...token, text }
    }
    if (token.kind !== 'positional') continue
    const digits = token.text.slice(1)
    if (digits === '#')
      made[at] = { ...token, kind: 'number', text: String(args.length), origin: token.text }
    else if (isOfStr(tokens, at))
      made[at] = {
        ...token,
        kind: 'string',
        text: literal(argument(args, digits) ?? ''),
        origin: token.text,
      }
    else if (isInside(at))
      made[at] = {
        ...token,
        kind: 'number',
        text: numberText(argument(args, digits), digits),
        origin: token.text,
      }
    else made[at] = { ...token, kind: 'word', text: attachText(argument(args, digits), digits) }
  }
  return asLiterals(made)
}

const argument = (args: readonly string[], digits: string): string | undefined =>
  args[Number(digits) - 1]

function isOfStr(tokens: readonly Token[], at: number): boolean {
  const before = tokens.slice(0, at).filter(isSolid).slice(-2)
  return before[0]?.text === 'str' && isSign(before[1], '(')
}

/** A text byte by byte, as every bpftrace reads it. */
export function literal(text: string): string {
  return `"${[...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`
}

function numberText(value: string | undefined, digits: string): string {
  if (value === undefined) return '0'
  if (/^-?(?:0x[0-9a-f]{1,16}|\d{1,20})$/i.test(value)) {
    const isNegative = value.startsWith('-')
    if (BigInt(value.replace('-', '')) <= (isNegative ? 1n << 63n : (1n << 64n) - 1n))
      return isNegative ? `(${value})` : value
  }
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `the script uses its argument $${digits} as a number`,
    expected: 'a number of 64 bits: -9223372036854775808 to 18446744073709551615',
    found: JSON.stringify(value),
    remedy: `give a number, or write str($${digits}) in the script`,
  })
}

function attachText(value: string | undefined, digits: string): string {
  if (value !== undefined && /^[\w./:*+-]{1,4096}$/.test(value) && !/\/[/*]/.test(value))
    return value
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `the script's argument $${digits} is part of an attach point`,
    expected: 'letters, digits and any of _ . / : * + -',
    found: value === undefined ? 'no such argument' : JSON.stringify(value),
  })
}

/** `str("text")` is the text itself: str() takes addresses. */
function asLiterals(tokens: readonly Token[]): readonly Token[] {
  const made: Token[] = []
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (token === undefined) break
    const open = nextSolid(tokens, at + 1)
    const text = nextSolid(tokens, open + 1)
    const isCall = token.text === 'str' && token.kind === 'word' && isSign(tokens[open], '(')
    if (!isCall || tokens[text]?.kind !== 'string') {
      made.push(token)
      continue
    }
    made.push({ ...token, ...tokens[text], line: token.line } as Token)
    at = closing(tokens, open)
  }
  return made
}
