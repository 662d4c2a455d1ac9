import { EbpfRunError } from '../errors.ts'

/** What one conversion of a pattern reads: a number of 32 or 64 bits with its base, a pointer, an address, one byte, or a text. */
export type Conversion =
  | 'i32'
  | 'u32'
  | 'x32'
  | 'i64'
  | 'u64'
  | 'x64'
  | 'pointer'
  | 'ipv4'
  | 'ipv6'
  | 'char'
  | 'text'

/** A piece of a pattern: bytes that stand there as they are, or a value with its field's name. Flat, so that it is plain JSON. */
export type Piece =
  | { readonly literal: readonly number[] }
  | { readonly name: string; readonly as: Conversion }

const most = { bytes: 1_023, values: 32 } as const

/** Flags, width and precision pad a value and change nothing of what it is. */
const conversion =
  /%(?:(%)|(?:\{([^}]*)\})?[-+ #0]{0,5}(?:[1-9]\d{0,3})?(?:\.\d{0,4})?(?:(p)(x|K|I4|I6c?)?|(hh?|ll?|z|t|j|q|L)?([diuxXsc])))/y

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', '"': '"', '\\': '\\' }

/**
 * A format as bpf_printk has it, to its pieces. `%{name}d` names a value, others are `value_1`, `value_2`. `\n`, `\t`, `\"` and
 * `\\` are as in C; a line end at its end is left out, as it is in messages. Throws BAD_VALUE.
 */
export function parsePattern(text: string): readonly Piece[] {
  const pieces: Piece[] = []
  let literal = ''
  const endLiteral = (): void => {
    if (literal !== '') pieces.push({ literal: [...Buffer.from(literal)] })
    literal = ''
  }
  let values = 0
  for (let at = 0; at < text.length;) {
    const char = text[at] ?? ''
    if (char === '\\') {
      const escaped = escapes[text[at + 1] ?? '']
      if (escaped === undefined)
        throw bad(text, `\\n, \\t, \\" or \\\\ at place ${at + 1}`, text.slice(at, at + 2))
      literal += escaped
      at += 2
      continue
    }
    if (char !== '%') {
      literal += char
      at += 1
      continue
    }
    conversion.lastIndex = at
    const found = conversion.exec(text)
    if (found === null)
      throw bad(text, `${conversionsText} at place ${at + 1}`, text.slice(at, at + 8))
    at = conversion.lastIndex
    const [, percent, name, pointer, pointerForm, length = '', letter = ''] = found
    if (percent !== undefined) {
      literal += '%'
      continue
    }
    endLiteral()
    values += 1
    pieces.push({
      name: nameOf(name, values, pieces, text),
      as: pointer === undefined ? plainConversion(length, letter) : pointerConversion(pointerForm),
    })
  }
  if (literal.endsWith('\n')) literal = literal.slice(0, -1)
  endLiteral()
  if (values === 0)
    throw bad(
      text,
      'a value such as %d or %s',
      'none',
      "--pattern 'PID %{caller}d'; --match finds a text",
    )
  if (values > most.values) throw bad(text, `at most ${most.values} values`, String(values))
  if (Buffer.byteLength(text) > most.bytes)
    throw bad(text, `at most ${most.bytes} bytes, as a message has`, `${Buffer.byteLength(text)}`)
  const glued = pieces.findIndex(
    (piece, index) => isText(piece) && isText(pieces[index + 1]) && index + 1 < pieces.length,
  )
  if (glued !== -1)
    throw bad(text, 'a text between two %s, to tell where the first one ends,', '%s%s')
  return pieces
}

const conversionsText =
  '%d %i %u %x %c %s %p %pI4 %pI6, with l, ll, h or z before the letter, or %% for a percent sign'

function isText(piece: Piece | undefined): boolean {
  return piece !== undefined && 'as' in piece && piece.as === 'text'
}

function plainConversion(length: string, letter: string): Conversion {
  if (letter === 's') return 'text'
  if (letter === 'c') return 'char'
  const size = length === '' || length.startsWith('h') ? '32' : '64'
  return `${({ d: 'i', i: 'i', u: 'u' } as const)[letter] ?? 'x'}${size}`
}

function pointerConversion(form: string | undefined): Conversion {
  return form === 'I4' ? 'ipv4' : form?.startsWith('I6') ? 'ipv6' : 'pointer'
}

/** Fields that every message has, and what an event has beside its fields. */
const taken: readonly string[] = [
  ...['event', 'escaped', 'cut', '__proto__', 'constructor'],
  ...['time', 'ktime_ns', 'cpu', 'tid', 'pid', 'task', 'task_from', 'flags', 'preempt_depth'],
  ...['function', 'message'],
]

function nameOf(
  given: string | undefined,
  number: number,
  before: readonly Piece[],
  text: string,
): string {
  const name = given ?? `value_${number}`
  if (!/^[a-z_][a-z0-9_]{0,63}$/.test(name))
    throw bad(text, 'a name of a-z, 0-9 and _ in %{name}d', name)
  if (taken.includes(name))
    throw bad(text, 'a name that no other field has', name, `%{my_${name}}, for example`)
  if (before.some((piece) => 'name' in piece && piece.name === name))
    throw bad(text, 'another name for each value', name)
  return name
}

function bad(text: string, expected: string, found: string, remedy?: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--pattern: ${expected} was expected in ${JSON.stringify(text)}`,
    expected,
    found: JSON.stringify(found),
    remedy: remedy ?? "for example --pattern 'PID %{caller}d -> %{host}s:%{port}u'",
  })
}
