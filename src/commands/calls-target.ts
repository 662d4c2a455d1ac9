import { type Counted, defineCalls, type UserFunction } from '../attach/calls.ts'
import { matchingLines, nameOf, parsePattern } from '../attach/pattern.ts'
import { EbpfRunError } from '../errors.ts'
import { type AttachPointList, withAttachPoints } from '../host/attach-point-cache.ts'
import { parseBlacklist, readBlacklist } from '../host/blacklist.ts'
import { symbolAddresses } from '../host/symbol-addresses.ts'
import { readUserFile } from '../host/user-points.ts'
import { noMatch } from './attach-point-list.ts'
import { optionsOf, type RunOption } from './options.ts'
import { fileOf, userPointLines } from './user-point-list.ts'
import { positionals } from './words.ts'

/** What can be counted of the kernel, by the names of attach points. */
const types = ['kprobe', 'tracepoint', 'syscall'] as const

/** What matches, and what matches and cannot be counted, with the reason. */
export interface Calls {
  readonly counted: Counted
  /** What was typed, for people. */
  readonly pattern: string
  readonly leftOut: readonly string[]
}

/** Its options, before anybody knows what is counted: those of any. */
export const callsOptions = (): readonly RunOption[] =>
  optionsOf(defineCalls({ functions: [], tracepoints: [], user: [] }, 'PATTERN').spec)

/** Takes the words that are no options and no values of one as patterns. Throws BAD_VALUE, NO_MATCH, USAGE. */
export async function callsOf(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly calls: Calls; readonly rest: readonly string[] }> {
  const { found: typed, rest } = positionals(words, { probe: 'funccount', options: callsOptions() })
  if (typed.length === 0)
    throw new EbpfRunError({
      code: 'USAGE',
      message: 'funccount needs a pattern',
      remedy: "ebpf-run funccount 'tcp_*'; funccount 'libc:mall*'; funccount 'tracepoint:sock:*'",
    })
  const patterns = typed.map(withType)
  const lines = await withAttachPoints(env, (list) =>
    patterns.flatMap((pattern) => (isOfUser(pattern) ? [] : linesOf(pattern, list))),
  )
  const ofKernel = countable([...new Set(lines)])
  const ofUser = userFunctions(patterns.filter(isOfUser), env)
  const counted = { ...ofKernel.counted, user: ofUser.functions }
  const leftOut = [...ofKernel.leftOut, ...ofUser.leftOut]
  if (counted.functions.length + counted.tracepoints.length + counted.user.length === 0)
    throw new EbpfRunError({
      code: 'NO_MATCH',
      message: `nothing that matches ${patterns.join(' ')} can be counted here`,
      found: leftOut.slice(0, 5).join('; '),
      remedy:
        "ebpf-run list --attach-points 'kprobe:tcp_*' shows functions, ebpf-run doctor what this kernel can",
    })
  return { calls: { counted, pattern: patterns.join(' '), leftOut }, rest }
}

const isOfUser = (pattern: string): boolean => pattern.startsWith('uprobe:')

/** Attach points that are no calls, and what counts them or what stands beside them. */
const notCounted = /^(?:kretprobe|fentry|fexit|kfunc|kretfunc|rawtracepoint|uretprobe):(.*)$/s

/** A pattern as it was typed, or as bcc's funccount has it, with the name of its type in front. Throws BAD_VALUE. */
function withType(word: string): string {
  if ([...types, 'uprobe'].some((type) => word.startsWith(`${type}:`))) return word
  const [, other] = notCounted.exec(word) ?? []
  if (other !== undefined)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'funccount counts calls: where a function begins, and tracepoints',
      expected: `${[...types, 'uprobe'].join(', ')}`,
      found: word,
      remedy: word.startsWith('rawtracepoint')
        ? `ebpf-run trace ${word} --summary`
        : `ebpf-run funccount ${word.startsWith('u') ? 'uprobe' : 'kprobe'}:${other}`,
    })
  const [, letter = '', rest = ''] = /^([tpu]):([^]*)$/.exec(word) ?? []
  if (letter === 't') return `tracepoint:${rest}`
  if (letter === 'p' && rest.startsWith(':')) return `kprobe:${rest.slice(1)}`
  if (letter === 'p') return `uprobe:${rest}`
  if (letter === 'u' || word.startsWith('usdt:'))
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'funccount does not count marks of programs',
      found: word,
      remedy: `ebpf-run trace 'usdt:${rest || word.slice('usdt:'.length)}' --summary`,
    })
  return word.includes(':') && !word.startsWith('/^') ? `uprobe:${word}` : `kprobe:${word}`
}

/** Functions of programs and libraries, each piece of code once: several names may stand for one. Throws NO_MATCH, BAD_VALUE. */
function userFunctions(
  patterns: readonly string[],
  env: NodeJS.ProcessEnv,
): { readonly functions: readonly UserFunction[]; readonly leftOut: readonly string[] } {
  const names = new Map<string, UserFunction>()
  const leftOut: string[] = []
  for (const pattern of patterns) {
    const lines = userPointLines(withLibrary(pattern, env), env)
    const path = /^uprobe:(.*):[^:]*$/.exec(lines[0] ?? '')?.[1] ?? ''
    const { functions } = fileOf(path, env)
    const addresses = new Map(functions.map(({ name, address }) => [name, address]))
    for (const name of lines.map((line) => line.slice(line.lastIndexOf(':') + 1))) {
      const place = `${path} ${addresses.get(name)}`
      const known = names.get(place)
      if (known === undefined) names.set(place, { path, name })
      else if (known.name !== name) leftOut.push(`${name}: the same code as ${known.name}`)
    }
  }
  return { functions: [...names.values()], leftOut }
}

/** `c` is libc to bcc's users. */
function withLibrary(pattern: string, env: NodeJS.ProcessEnv): string {
  const [, file = '', name = ''] = /^uprobe:([^:]*):?([^]*)$/.exec(pattern) ?? []
  const isThere = (each: string) => !('why' in readUserFile(each, env))
  return /^\w+$/.test(file) && !isThere(file) && isThere(`lib${file}`)
    ? `uprobe:lib${file}:${name}`
    : pattern
}

function linesOf(pattern: string, list: AttachPointList): readonly string[] {
  const parsed = parsePattern(pattern, types)
  const found = matchingLines(list, parsed)
  if (found.length > 0) return found
  throw noMatch(pattern, parsed, list)
}

/** Splits attach points into those that can be counted together, and the rest with the reason. */
function countable(lines: readonly string[]): {
  readonly counted: Omit<Counted, 'user'>
  readonly leftOut: readonly string[]
} {
  const names = lines.flatMap((line) =>
    line.startsWith('kprobe:') ? [nameOf(line).replace(/^\w+:/, '')] : [],
  )
  const addresses = symbolAddresses(new Set(names))
  const blacklist = readBlacklist()
  const refused = parseBlacklist('text' in blacklist ? blacklist.text : '')
  const reasonOf = (name: string): string | null =>
    name.includes('.')
      ? 'a part of a function, made by the compiler'
      : refused.has(name)
        ? 'the kernel refuses probes in it'
        : addresses.has(name)
          ? null
          : 'several functions have this name, or its address is hidden'
  const unique = [...new Set(names)]
  return {
    counted: {
      functions: unique.flatMap((name) => {
        const address = addresses.get(name)
        return address === undefined || reasonOf(name) !== null ? [] : [{ name, address }]
      }),
      tracepoints: lines.flatMap((line) =>
        line.startsWith('tracepoint:')
          ? [nameOf(line)]
          : line.startsWith('syscall:')
            ? [`syscalls:sys_enter_${nameOf(line)}`]
            : [],
      ),
    },
    leftOut: unique.flatMap((name) => {
      const reason = reasonOf(name)
      return reason === null ? [] : [`${name}: ${reason}`]
    }),
  }
}
