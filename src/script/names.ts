import { isSolid, type Token } from './lexer.ts'
import { isSign } from './sections.ts'

/** Calls that show their argument, so that it has the name. */
const transparent: ReadonlySet<string> = new Set([
  ...[
    'str',
    'ntop',
    'ksym',
    'usym',
    'kaddr',
    'uaddr',
    'kptr',
    'uptr',
    'buf',
    'bswap',
    'macaddr',
    'username',
  ],
  ...['cgroup_path', 'path', 'strerror', 'errorf', 'pton', 'offsetof', 'sizeof'],
])

/** Names that every event has for itself, or that mean something to JavaScript. */
const taken: ReadonlySet<string> = new Set([
  ...['time', 'ktime_ns', 'event', 'escaped', 'cut', '__proto__', 'constructor'],
])

/** A free name for what an expression shows: `$daddr` is daddr, `str(args->filename)` filename, `@start[tid]` start. */
export function fieldName(
  expression: readonly Token[],
  used: ReadonlySet<string>,
  index: number,
): string {
  const words = wordsOf(expression.filter(isSolid))
  const [word, before] = [words.at(-1), words.at(-2)]
  const plain = word === undefined ? `value_${index + 1}` : cleaned(word)
  const longer = before === undefined || word === undefined ? plain : cleaned(`${before}_${word}`)
  const free = [plain, longer].find((name) => !used.has(name) && !taken.has(name))
  if (free !== undefined) return free
  for (let number = 2; ; number += 1) {
    const name = `${taken.has(plain) ? `${plain}_value` : plain}_${number}`
    if (!used.has(name)) return name
  }
}

/** A word that may be a field's name. */
export function cleaned(word: string): string {
  const name = word
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '_')
    .replace(/^_+(?=[a-z])|_+$/g, '')
    .slice(0, 60)
  return /^[a-z_]/.test(name) ? name : `value_${name}`
}

/** The words that name what an expression shows, the most telling last. */
function wordsOf(expression: readonly Token[]): readonly string[] {
  const tokens = withoutBrackets(expression)
  const [first, second] = tokens
  if (first === undefined) return []
  if (first.kind === 'word' && isSign(second, '(') && closes(tokens, 1) === tokens.length - 1) {
    const args = topLevel(tokens.slice(2, -1), ',')
    const shown = args.at(first.text === 'ntop' ? -1 : 0)
    return transparent.has(first.text) && shown !== undefined ? wordsOf(shown) : [first.text]
  }
  const operands = operandsOf(tokens)
  if (operands.length > 1) {
    // The first that has a name of its own: in `(nsecs - @start[tid]) / 1000` that is start.
    const named = operands.map(wordsOf).filter((words) => words.length > 0)
    return named.find(([word]) => word !== 'nsecs') ?? named[0] ?? []
  }
  return chainOf(tokens)
}

/** `$task->real_parent->pid`: task, real_parent, pid; what stands in brackets is passed over. */
function chainOf(tokens: readonly Token[]): readonly string[] {
  const words: string[] = []
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (isSign(token, '(') || isSign(token, '[')) {
      const end = closes(tokens, at)
      if (isSign(token, '(')) words.push(...wordsOf(tokens.slice(at + 1, end)))
      at = end
      continue
    }
    const name = token === undefined ? '' : nameOf(token)
    if (name !== '') words.push(name)
  }
  return words
}

function nameOf({ kind, text, origin }: Token): string {
  if (origin !== undefined) return origin === '$#' ? 'arguments' : `arg_${origin.slice(1)}`
  if (kind === 'word') return /^(?:u?int\d+|struct|u?int)$/.test(text) ? '' : text
  return kind === 'variable' || kind === 'map' ? text.slice(1) : ''
}

/** Without brackets around all of it, casts and signs in front. */
function withoutBrackets(tokens: readonly Token[]): readonly Token[] {
  const [first] = tokens
  if (isSign(first, '-') || isSign(first, '!') || isSign(first, '~') || isSign(first, '*'))
    return withoutBrackets(tokens.slice(1))
  if (!isSign(first, '(')) return tokens
  const end = closes(tokens, 0)
  if (end === tokens.length - 1) return withoutBrackets(tokens.slice(1, -1))
  const next = tokens[end + 1]
  const isCast =
    next !== undefined &&
    (next.kind !== 'sign' || next.text === '(') &&
    isType(tokens.slice(1, end))
  return isCast ? withoutBrackets(tokens.slice(end + 1)) : tokens
}

function isType(tokens: readonly Token[]): boolean {
  return tokens.every(({ kind, text }) => kind === 'word' || text === '*')
}

const operators: ReadonlySet<string> = new Set([
  ...['+', '-', '*', '/', '%', '<<', '>>', '&', '|', '^', '&&', '||', '?', ':'],
  ...['==', '!=', '<', '>', '<=', '>='],
])

function operandsOf(tokens: readonly Token[]): readonly (readonly Token[])[] {
  return topLevelBy(
    tokens,
    (token, at) => at > 0 && token.kind === 'sign' && operators.has(token.text),
  )
}

function topLevel(tokens: readonly Token[], sign: string): readonly (readonly Token[])[] {
  return topLevelBy(tokens, (token) => isSign(token, sign))
}

function topLevelBy(
  tokens: readonly Token[],
  splits: (token: Token, at: number) => boolean,
): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]]
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (token === undefined) break
    if (isSign(token, '(') || isSign(token, '[')) {
      const end = closes(tokens, at)
      parts.at(-1)?.push(...tokens.slice(at, end + 1))
      at = end
    } else if (splits(token, at)) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts.filter((part) => part.length > 0)
}

/** Place of the bracket that closes the one at `at`: arguments were cut out of whole brackets, so there is one. */
function closes(tokens: readonly Token[], at: number): number {
  let depth = 0
  for (let index = at; index < tokens.length; index += 1) {
    const text = tokens[index]?.kind === 'sign' ? tokens[index]?.text : ''
    if (text === '(' || text === '[') depth += 1
    if (text === ')' || text === ']') depth -= 1
    if (depth === 0) return index
  }
  return tokens.length - 1
}
