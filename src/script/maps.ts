import type { KeyPart, MapShape } from '../schema/define.ts'
import { isSolid, type Token } from './lexer.ts'
import { closing, isSign } from './sections.ts'
import { argumentsOf, nextSolid } from './statements.ts'

const texts: ReadonlySet<string> = new Set([
  ...[
    'comm',
    'probe',
    'func',
    'username',
    'pcomm',
    'str',
    'ksym',
    'usym',
    'ntop',
    'buf',
    'strftime',
  ],
  ...['macaddr', 'cgroup_path', 'path', 'strerror'],
])
const numbers: ReadonlySet<string> = new Set([
  ...[
    'pid',
    'tid',
    'uid',
    'gid',
    'cpu',
    'ncpus',
    'nsecs',
    'elapsed',
    'jiffies',
    'cgroup',
    'rand',
    'curtask',
  ],
  ...['retval', 'ppid', 'numaid', 'sizeof', 'offsetof', 'cgroupid', 'bswap', 'len'],
])

/** Of a map that the script's words tell nothing about. */
export const unknownShape: MapShape = { key: [], value: 'any' }

const aggregations: ReadonlySet<string> = new Set([
  ...['count', 'sum', 'avg', 'min', 'max', 'hist', 'lhist', 'stats', 'tseries'],
])

/** What the script's own words tell of its maps: name without its @ to keys and value. */
export function shapesOf(tokens: readonly Token[]): ReadonlyMap<string, MapShape> {
  const shapes = new Map<string, MapShape>()
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'map') continue
    const name = token.text.slice(1)
    const open = nextSolid(tokens, at + 1)
    const hasKey = isSign(tokens[open], '[')
    const end = hasKey ? closing(tokens, open) : at
    const key = hasKey
      ? argumentsOf(tokens, open, end).map((part) => partOf(part.filter(isSolid), tokens))
      : []
    const value = setTo(tokens, nextSolid(tokens, end + 1))
    const before = shapes.get(name)
    shapes.set(name, {
      key: hasKey ? commonKey(before?.key ?? [], key) : (before?.key ?? []),
      value: value === null ? (before?.value ?? 'any') : valueOf(before?.value, value),
    })
  }
  return shapes
}

function commonKey(before: readonly KeyPart[], key: readonly KeyPart[]): readonly KeyPart[] {
  if (before.length === 0) return key
  if (before.length !== key.length) return ['any']
  return before.map((part, at) => (part === key[at] ? part : 'any'))
}

const valueOf = (before: KeyPart | undefined, now: KeyPart): KeyPart =>
  before === undefined || before === 'any' || before === now ? now : 'any'

/** What a map is set to by what follows it; null: it is only read. */
function setTo(tokens: readonly Token[], at: number): KeyPart | null {
  const sign = tokens[at]
  if (sign?.kind !== 'sign') return null
  if (/^(?:\+\+|--|[-+*/%&|^]=|<<=|>>=)$/.test(sign.text)) return 'number'
  if (sign.text !== '=') return null
  const rest = tokens.slice(at + 1)
  const end = rest.findIndex((token) => isSign(token, ';') || isSign(token, '}'))
  const value = rest.slice(0, end === -1 ? undefined : end).filter(isSolid)
  const [first, second] = value
  if (first?.kind === 'word' && aggregations.has(first.text) && isSign(second, '(')) return 'number'
  return partOf(value, tokens)
}

function partOf(expression: readonly Token[], script: readonly Token[], depth = 0): KeyPart {
  const [first, second] = expression
  if (first === undefined) return 'any'
  if (first.kind === 'word' && /^[ku]stack$/.test(first.text)) return 'stack'
  const isWhole = second === undefined || isSign(second, '(')
  if (first.kind === 'string' || (first.kind === 'word' && texts.has(first.text) && isWhole))
    return 'text'
  if (expression.length === 1 && first.kind === 'number') return 'number'
  if (first.kind === 'word' && (numbers.has(first.text) || /^s?arg\d$/.test(first.text)))
    return 'number'
  if (expression.length === 1 && first.kind === 'variable' && depth < 4) {
    const value = assigned(first.text, script)
    return value === null ? 'any' : partOf(value, script, depth + 1)
  }
  return 'any'
}

/** What a variable is set to where it is first set. */
function assigned(name: string, script: readonly Token[]): readonly Token[] | null {
  const solid = script.filter(isSolid)
  const at = solid.findIndex((token, index) => token.text === name && isSign(solid[index + 1], '='))
  if (at === -1) return null
  const end = solid.findIndex(
    (token, index) => index > at && (isSign(token, ';') || isSign(token, '}')),
  )
  return solid.slice(at + 2, end === -1 ? undefined : end)
}
