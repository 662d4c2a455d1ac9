import { isSolid, scriptError, type Token } from './lexer.ts'

/** A block of a script at its outermost level, and what stands in front of it; places are those of tokens. */
export interface Section {
  /** What the words in front of the block make of it: `attach` is a probe, `code` a function, `macro` a macro, `other` has no statements. */
  readonly is: 'attach' | 'code' | 'macro' | 'other'
  readonly from: number
  /** Places of the block's braces. */
  readonly open: number
  readonly close: number
  /** `BEGIN`, `kprobe:tcp_connect`; of code its name. */
  readonly name: string
  /** It has a predicate. */
  readonly hasPredicate: boolean
}

const declarations: ReadonlySet<string> = new Set(['config', 'struct', 'union', 'enum', 'typedef'])
const code: ReadonlySet<string> = new Set(['fn', 'subprog'])

/** The sections of a script, in its order. Throws BAD_SCRIPT for braces that do not close. */
export function sectionsOf(tokens: readonly Token[]): readonly Section[] {
  const sections: Section[] = []
  let from = 0
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at]
    if (token?.kind === 'preprocessor' || isSign(token, ';')) from = at + 1
    if (isSign(token, '}')) throw scriptError(token?.line ?? 0, 'a } without its {')
    if (!isSign(token, '{')) continue
    const close = closing(tokens, at)
    sections.push({ from, open: at, close, ...headOf(tokens.slice(from, at).filter(isSolid)) })
    at = close
    from = close + 1
  }
  return sections
}

function headOf(head: readonly Token[]): Pick<Section, 'is' | 'name' | 'hasPredicate'> {
  const [first, second] = head
  const word = first?.text ?? ''
  if (declarations.has(word)) return { is: 'other', name: word, hasPredicate: false }
  if (word === 'macro') return { is: 'macro', name: second?.text ?? word, hasPredicate: false }
  if (code.has(word)) return { is: 'code', name: second?.text ?? word, hasPredicate: false }
  const end = head.findIndex(({ kind, text }) => kind === 'sign' && (text === '/' || text === ','))
  const name = head
    .slice(0, end === -1 ? head.length : end)
    .map(({ text }) => text)
    .join('')
  return {
    is: 'attach',
    name,
    hasPredicate: head.some(({ kind, text }) => kind === 'sign' && text === '/'),
  }
}

export function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === 'sign' && token.text === text
}

const pairs: Readonly<Record<string, string>> = { '(': ')', '{': '}', '[': ']' }

/** Place of what closes the bracket at `at`. Throws BAD_SCRIPT where nothing does. */
export function closing(tokens: readonly Token[], at: number): number {
  const open: string[] = []
  for (let index = at; index < tokens.length; index += 1) {
    const token = tokens[index]
    if (token?.kind !== 'sign') continue
    const closes = pairs[token.text]
    if (closes !== undefined) open.push(closes)
    else if (Object.values(pairs).includes(token.text)) {
      if (open.pop() !== token.text) break
      if (open.length === 0) return index
    }
  }
  const { line = 0, text = '' } = tokens[at] ?? {}
  throw scriptError(line, `a ${text} that does not close`)
}
