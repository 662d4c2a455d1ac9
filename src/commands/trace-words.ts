import { parseDrawn, parseFieldRequest } from '../attach/asked-field.ts'
import { matchingLines, nameOf, parsePattern } from '../attach/pattern.ts'
import { type AttachPoint, parseAttachPoint, typeNamed, userTypeOf } from '../attach/point.ts'
import type { FieldRequest } from '../attach/request.ts'
import { mostPoints } from '../attach/join.ts'
import { EbpfRunError } from '../errors.ts'
import { attachTypes } from '../host/attach-points.ts'
import { withAttachPoints } from '../host/attach-point-cache.ts'
import { noMatch } from './attach-point-list.ts'
import { userPointLines } from './user-point-list.ts'

/** One attach point of a trace, and what was asked of it. */
export interface TracePoint {
  readonly point: AttachPoint
  readonly fields: readonly FieldRequest[]
}

/** The words of `trace`, apart from its options. */
export type TraceWords = readonly TracePoint[]

/** Under which type of the list the functions and returns of others are found. */
const listedAs: Readonly<Record<string, string>> = {
  function: 'kprobe',
  kretprobe: 'kprobe',
  fexit: 'fentry',
}

/**
 * Takes the leading words that are no options: attach points or patterns of them, each with its `field=expression` behind it.
 * Throws BAD_VALUE, NO_MATCH.
 */
export async function readTraceWords(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly trace: TraceWords; readonly rest: readonly string[] }> {
  const end = words.findIndex((word) => word.startsWith('-'))
  const own = end === -1 ? words : words.slice(0, end)
  const groups: { text: string; fields: FieldRequest[] }[] = []
  for (const word of own) {
    const last = groups.at(-1)
    if (last !== undefined && isField(word)) last.fields.push(parseFieldRequest(word))
    else groups.push({ text: word, fields: [] })
  }
  const trace: TracePoint[] = []
  for (const { text, fields } of groups)
    for (const point of await pointsOf(text, env)) trace.push({ point, fields })
  if (trace.length > mostPoints)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'these are too many attach points for one trace',
      expected: `at most ${mostPoints}`,
      found: String(trace.length),
      remedy: 'a narrower pattern; --calls only counts, and takes 1000',
    })
  return { trace, rest: words.slice(own.length) }
}

/** An attach point has a colon before any `=`. */
const isField = (word: string): boolean => /^[^:]*(?:=|$)/.test(word)

/** What one word names: one, or all that a pattern matches. */
async function pointsOf(text: string, env: NodeJS.ProcessEnv): Promise<readonly AttachPoint[]> {
  const [, typed = '', name = ''] = /^([^:]*):([^]*)$/.exec(text) ?? []
  if (!/[*?]/.test(name) && !/^\/[^]*\/$/.test(name)) return [parseAttachPoint(text)]
  if (userTypeOf(text) !== null) return userPointLines(text, env).map(parseAttachPoint)
  const type = typeNamed(typed)
  const listed = listedAs[type] ?? type
  const pattern = parsePattern(`${listed}:${name}`, attachTypes)
  const found = await withAttachPoints(env, (list) => {
    const lines = matchingLines(list, pattern)
    if (lines.length === 0) throw noMatch(text, pattern, list)
    return lines
  })
  return found.map((line) => parseAttachPoint(`${type}:${nameOf(line)}`))
}

/**
 * Takes `--hist EXPRESSION` out of the options, unless it names the duration of --latency or a quantity of every run: what is left
 * names a field, and `drawn` is that field.
 */
export function takeHistogram(
  rest: readonly string[],
  trace: TraceWords,
): { readonly drawn: FieldRequest | null; readonly rest: readonly string[] } {
  const end = rest.indexOf('--')
  const own = end === -1 ? rest : rest.slice(0, end)
  const at = own.findIndex((word) => /^--hist(?:=|$)/.test(word))
  const isJoined = own[at]?.startsWith('--hist=') ?? false
  const text = isJoined ? own[at]?.slice('--hist='.length) : own[at + 1]
  if (at === -1 || text === undefined || text === '' || text === 'duration_ns')
    return { drawn: null, rest }
  const drawn = parseDrawn(
    text,
    trace.flatMap(({ fields }) => fields),
  )
  return {
    drawn,
    rest: [...rest.slice(0, at), '--hist', drawn.name, ...rest.slice(at + (isJoined ? 1 : 2))],
  }
}
