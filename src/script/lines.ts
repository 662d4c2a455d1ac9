import { type FormatPiece, padded, parseFormat } from './format.ts'
import { stringValue, type Token } from './lexer.ts'
import type { Output, Run } from './statements.ts'

/** A value of a printf and how it was to be shown. */
export interface Value {
  readonly expression: readonly Token[]
  readonly conversion: string
  readonly precision: number | null
}

/** Output that bpftrace makes when it comes to it, not in the kernel: its text is kept. */
export interface Late {
  readonly call: 'join' | 'cat' | 'system' | 'print'
  readonly args: Output['args']
}

/** What one event shows: the statements that make a line. */
export interface Line {
  readonly line: number
  readonly from: number
  readonly to: number
  /** What stands between the values, for people; of one without values all it says. */
  readonly text: string
  readonly values: readonly Value[]
  readonly late: Late | null
}

/**
 * The lines that statements in a row make: several printfs make one until a line end, `time` stands in front of what follows, and
 * what is late ends it. Null stands for statements whose text cannot be known: they stay as they are.
 */
export function linesOf(run: Run): readonly Line[] {
  const lines: Line[] = []
  let open: Output[] = []
  const close = (late: Late | null = null): void => {
    const [first] = open
    const last = open.at(-1)
    if (first === undefined || last === undefined) return
    const pieces = open.flatMap((output) => piecesOf(output) ?? [])
    lines.push({
      line: first.line,
      from: first.from,
      to: last.to,
      text: pieces.map((piece) => ('text' in piece ? piece.text : '…')).join(''),
      values: pieces.flatMap((piece) => ('text' in piece ? [] : [piece])),
      late,
    })
    open = []
  }
  for (const output of run) {
    const pieces = piecesOf(output)
    if (pieces === null) {
      close()
      continue
    }
    const late = lateOf(output)
    // A map is a line of its own, with what announces it as its text.
    if (late?.call === 'print' && hasValues(open)) close()
    open.push(output)
    if (late !== null) close(late)
    else if (output.call === 'printf' && endsLine(pieces)) close()
  }
  close()
  return lines
}

function hasValues(outputs: readonly Output[]): boolean {
  return outputs.some((output) => piecesOf(output)?.some((piece) => !('text' in piece)))
}

type Piece = { readonly text: string } | Value

function endsLine(pieces: readonly Piece[]): boolean {
  const last = pieces.at(-1)
  return last !== undefined && 'text' in last && last.text.endsWith('\n')
}

function lateOf({ call, args }: Output): Late | null {
  return call === 'join' || call === 'cat' || call === 'system' || call === 'print'
    ? { call, args }
    : null
}

function piecesOf(output: Output): readonly Piece[] | null {
  if (output.call === 'time') return timePieces(output)
  if (output.call !== 'printf') return []
  const [first, ...values] = output.args
  // An argument is no format: what it says is data.
  const isFormat =
    first?.length === 1 && first[0]?.kind === 'string' && first[0].origin === undefined
  const format = isFormat && first[0] !== undefined ? stringValue(first[0]) : null
  const pieces = format === null ? null : parseFormat(format)
  if (pieces === null || pieces.filter(({ is }) => is === 'value').length !== values.length)
    return null
  let at = 0
  return pieces.map((piece) => pieceOf(piece, piece.is === 'value' ? values[at++] : undefined))
}

function pieceOf(piece: FormatPiece, expression: readonly Token[] | undefined): Piece {
  if (piece.is === 'text') return { text: piece.text }
  const { conversion, precision, width } = piece
  const [only] = expression ?? []
  const constant =
    expression?.length === 1 &&
    only?.kind === 'string' &&
    only.origin === undefined &&
    conversion === 's'
      ? stringValue(only)
      : null
  if (constant !== null) return { text: padded(constant, width, precision) }
  return { expression: expression ?? [], conversion, precision }
}

/** What a time() says beside the time, which each event has. */
function timePieces({ args }: Output): readonly Piece[] {
  const [token] = args[0] ?? []
  const format = token === undefined ? '' : (stringValue(token) ?? '')
  const text = format.replace(/%[-_0^#]*\d*[EO]?[a-zA-Z%]/g, '')
  return /[a-z0-9]/i.test(text) ? [{ text: text.replace(/^[\s:.]+/, '') }] : []
}
