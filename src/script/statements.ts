import { isSolid, type Token } from './lexer.ts'
import { closing, isSign } from './sections.ts'

/** Calls that put something out. */
const outputs: ReadonlySet<string> = new Set(['printf', 'print', 'time', 'join', 'cat', 'system'])

/** A statement that is one call, and puts something out. */
export interface Output {
  readonly call: string
  readonly line: number
  /** First and last place, the semicolon included. */
  readonly from: number
  readonly to: number
  readonly args: readonly (readonly Token[])[]
}

/** Statements in a row, with nothing between them. */
export type Run = readonly Output[]

/** The output of a block, in runs. Calls inside of expressions are none of them. */
export function runsIn(tokens: readonly Token[], open: number, close: number): readonly Run[] {
  const runs: Output[][] = []
  let run: Output[] = []
  let at = open + 1
  while (at < close) {
    at = nextSolid(tokens, at)
    const output = at < close ? outputAt(tokens, at, close) : null
    if (output !== null) {
      run.push(output)
      at = output.to + 1
      continue
    }
    if (run.length > 0) runs.push(run)
    run = []
    at = afterStatement(tokens, at, close)
  }
  if (run.length > 0) runs.push(run)
  return runs
}

/** Behind the next semicolon or brace: where a statement may begin. */
function afterStatement(tokens: readonly Token[], from: number, close: number): number {
  let at = from
  while (at < close) {
    const token = tokens[at]
    if (isSign(token, '(') || isSign(token, '[')) at = closing(tokens, at)
    else if (isSign(token, ';') || isSign(token, '{') || isSign(token, '}')) return at + 1
    at += 1
  }
  return close
}

function outputAt(tokens: readonly Token[], at: number, close: number): Output | null {
  const token = tokens[at]
  if (token?.kind !== 'word' || !outputs.has(token.text)) return null
  const open = nextSolid(tokens, at + 1)
  if (!isSign(tokens[open], '(')) return null
  const end = closing(tokens, open)
  const after = nextSolid(tokens, end + 1)
  if (after < close && !isSign(tokens[after], ';') && !isSign(tokens[after], '}')) return null
  return {
    call: token.text,
    line: token.line,
    from: at,
    to: after < close && isSign(tokens[after], ';') ? after : end,
    args: argumentsOf(tokens, open, end),
  }
}

/** The arguments between two brackets, each without space around it. */
export function argumentsOf(
  tokens: readonly Token[],
  open: number,
  close: number,
): readonly (readonly Token[])[] {
  const args: Token[][] = [[]]
  for (let at = open + 1; at < close; at += 1) {
    const token = tokens[at]
    if (token === undefined) break
    if (isSign(token, ',')) args.push([])
    else if (isSign(token, '(') || isSign(token, '[') || isSign(token, '{')) {
      const end = closing(tokens, at)
      args.at(-1)?.push(...tokens.slice(at, end + 1))
      at = end
    } else args.at(-1)?.push(token)
  }
  const trimmed = args.map((arg) => {
    const solid = arg.map(isSolid)
    return arg.slice(solid.indexOf(true), solid.lastIndexOf(true) + 1)
  })
  return trimmed.length === 1 && trimmed[0]?.length === 0 ? [] : trimmed
}

export function nextSolid(tokens: readonly Token[], from: number): number {
  let at = from
  for (let token = tokens[at]; token !== undefined && !isSolid(token); token = tokens[at]) at += 1
  return at
}
