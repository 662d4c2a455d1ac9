import { type Counted, defineCalls } from '../attach/calls.ts'
import { matchingLines, nameOf, parsePattern } from '../attach/pattern.ts'
import { EbpfRunError } from '../errors.ts'
import { type AttachPointList, withAttachPoints } from '../host/attach-point-cache.ts'
import { parseBlacklist, readBlacklist } from '../host/blacklist.ts'
import { symbolAddresses } from '../host/symbol-addresses.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { noMatch } from './attach-point-list.ts'

/** What can be counted, by the names of attach points. */
const types = ['kprobe', 'tracepoint', 'syscall'] as const

/** A probe that counts the calls of what matches, and what matches and cannot be counted, with the reason. */
export interface Calls {
  readonly probe: LoadedProbe
  readonly leftOut: readonly string[]
}

/** Takes the leading words that are no options as patterns; one without a type is of functions. Throws BAD_VALUE, NO_MATCH. */
export async function callsOf(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly calls: Calls; readonly rest: readonly string[] }> {
  const end = words.findIndex((word) => word.startsWith('-'))
  const patterns = (end === -1 ? words : words.slice(0, end)).map((word) =>
    types.some((type) => word.startsWith(`${type}:`)) ? word : `kprobe:${word}`,
  )
  const found = await withAttachPoints(env, (list) =>
    patterns.flatMap((pattern) => linesOf(pattern, list)),
  )
  const lines = [...new Set(found)]
  const { counted, leftOut } = countable(lines)
  if (counted.functions.length + counted.tracepoints.length === 0)
    throw new EbpfRunError({
      code: 'NO_MATCH',
      message: `nothing that matches ${patterns.join(' ')} can be counted here`,
      found: leftOut.slice(0, 5).join('; '),
      remedy:
        "ebpf-run list --attach-points 'kprobe:tcp_*' shows functions, ebpf-run doctor what this kernel can",
    })
  return {
    calls: { probe: defineCalls(counted, patterns.join(' ')), leftOut },
    rest: words.slice(end === -1 ? words.length : end),
  }
}

function linesOf(pattern: string, list: AttachPointList): readonly string[] {
  const parsed = parsePattern(pattern, types)
  const found = matchingLines(list, parsed)
  if (found.length > 0) return found
  throw noMatch(pattern, parsed, list)
}

/** Splits attach points into those that can be counted together, and the rest with the reason. */
function countable(lines: readonly string[]): {
  readonly counted: Counted
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
