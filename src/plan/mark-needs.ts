import semver from 'semver'
import type { MarkArgument, MarkPlace } from '../host/usdt.ts'

/** Arguments that bpftrace has names for. */
const namedByBpftrace = 6

/** Below that bpftrace reads an argument at every place from where the first place has it (measured: 0.11 does, 0.17 does not). */
const readsEachPlace = '>=0.17.0'

/** Why these arguments of a mark cannot be read; null where they can. `bpftrace`: its version, null where bcc reads them. */
export function lackOfMark(
  places: readonly MarkPlace[],
  reads: readonly number[],
  bpftrace: string | null,
): string | null {
  if (places.length === 0) return 'a place or a counter of it lies in no part of the file'
  for (const index of reads) {
    for (const { arguments: all } of places) {
      const lack = bpftrace === null ? lackOf(all[index], index) : lackOfBpftrace(all, index)
      if (lack !== null) return lack
    }
    const texts = new Set(places.map(({ arguments: all }) => all[index]?.text))
    if (bpftrace !== null && texts.size > 1 && !semver.satisfies(bpftrace, readsEachPlace))
      return `arg${index} does not lie in the same place wherever the mark stands, and bpftrace ${bpftrace} reads it where the first has it`
  }
  return null
}

function lackOf(argument: MarkArgument | undefined, index: number): string | null {
  if (argument === undefined) return `the mark has no arg${index}`
  const { source, text } = argument
  return source.is === 'unreadable' ? `arg${index} (${text}) cannot be read: ${source.why}` : null
}

/**
 * What bpftrace makes nothing or something wrong of (0.17): a value behind an index or a name of the file is another one, and what
 * stands behind an argument that it cannot parse is lost.
 */
function lackOfBpftrace(all: readonly MarkArgument[], index: number): string | null {
  if (index >= namedByBpftrace) return `bpftrace has no name for arg${index}`
  for (const [at, argument] of all.slice(0, index + 1).entries()) {
    const lack = lackOf(argument, at)
    if (lack !== null) return lack
    if (!isPlain(argument)) return `bpftrace cannot read arg${at} (${argument.text})`
  }
  return lackOf(all[index], index)
}

function isPlain({ source }: MarkArgument): boolean {
  if (source.is === 'register') return source.shift === 0
  if (source.is !== 'memory') return source.is === 'constant'
  const [first, ...others] = source.registers
  return others.length === 0 && first?.times === 1 && first.register !== 'ip'
}
