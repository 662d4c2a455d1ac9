import { EbpfRunError } from '../errors.ts'
import type { AttachPointList } from '../host/attach-point-cache.ts'
import type { AttachType } from '../host/attach-points.ts'

/** What to look for among lines of the form `kprobe:tcp_connect`. */
export interface Pattern<Type extends string = AttachType> {
  /** The type that was named; null: all. */
  readonly type: Type | null
  /** Lines that can match, whole. */
  readonly line: RegExp
  /** Of a regular expression: what the name must match as well. */
  readonly name: RegExp | null
  /** What names of functions that match begin with; empty where that is not known. */
  readonly prefix: string
  /** The part of the name that stands for itself, for suggestions. */
  readonly literal: string
}

/** Longer than any name of the kernel: KSYM_NAME_LEN is 512. */
const longest = 600

/**
 * Reads `TYPE:GLOB`, `GLOB` (any type) or `TYPE:/REGEX/`. In a glob `*` is any text and `?` any letter; all else is itself.
 * Throws BAD_VALUE.
 */
export function parsePattern<Type extends string>(
  text: string,
  types: readonly Type[],
): Pattern<Type> {
  const [, first = '', rest = ''] = /^([a-z]+):([^]*)$/.exec(text) ?? []
  const type = types.find((each) => each === first) ?? null
  const name = type === null ? text : rest
  if (name === '' || text.length > longest || /[\n\r]/.test(text)) throw noPattern(text, types)
  const before = type ?? `(?:${types.join('|')})`
  const expression = /^\/([^]*)\/$/.exec(name)?.[1]
  return {
    type,
    line: new RegExp(`^${before}:${expression === undefined ? globBody(name) : '.*'}$`, 'gm'),
    name: expression === undefined ? null : parseExpression(expression),
    prefix:
      expression === undefined && !name.includes(':') ? (/^[^*?]*/.exec(name)?.[0] ?? '') : '',
    literal: (expression ?? name).replace(/[^\w:]+/g, ' ').trim(),
  }
}

/** The lines that match, in their order. Of functions, only those that begin as the pattern does are read. */
export function matchingLines(list: AttachPointList, pattern: Pattern): readonly string[] {
  const { type, prefix } = pattern
  const isOfFunctions = type === 'kprobe' || type === 'fentry'
  return linesIn(
    isOfFunctions && prefix !== '' ? list.textFrom(type, prefix) : list.textOf(type),
    pattern,
  )
}

/** The lines of a text that match. */
export function linesIn(
  text: string,
  { line, name }: Pick<Pattern, 'line' | 'name'>,
): readonly string[] {
  const lines = text.match(line) ?? []
  return name === null ? lines : lines.filter((each) => name.test(nameOf(each)))
}

/** `tcp_connect` of `kprobe:tcp_connect`. */
export function nameOf(line: string): string {
  return line.slice(line.indexOf(':') + 1)
}

function globBody(glob: string): string {
  return glob
    .split(/([*?])/)
    .map((part) => (part === '*' ? '.*' : part === '?' ? '.' : escaped(part)))
    .join('')
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function parseExpression(source: string): RegExp {
  try {
    return new RegExp(source)
  } catch (error) {
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'the expression between the slashes cannot be read',
      expected: 'a regular expression of JavaScript',
      found: JSON.stringify(source),
      detail: error instanceof Error ? error.message : '',
      remedy: "for example 'kprobe:/^tcp_v[46]_/'",
    })
  }
}

function noPattern(text: string, types: readonly string[]): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: 'a pattern of attach points was expected',
    expected: `TYPE:NAME with * for any text, or TYPE:/REGEX/; types: ${types.join(', ')}`,
    found: JSON.stringify(text.slice(0, 80)),
    remedy: "for example 'kprobe:tcp_*' or 'tracepoint:sock:*'",
  })
}
