import type { UsdtProbe } from '../host/elf.ts'

/** A mark that a program's author left (USDT). */
export interface Mark {
  readonly arguments: readonly UsdtArgument[]
  /** The program gets there only while a counter of its own is raised. */
  readonly hasCounter: boolean
}

/** What a mark says of one argument: how many bytes it has. */
export interface UsdtArgument {
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly signed: boolean
}

/** The mark that a note tells of. */
export function markOf({ arguments: text, semaphore }: UsdtProbe): Mark {
  return { arguments: parseUsdtArguments(text), hasCounter: semaphore !== 0n }
}

/** Reads `8@%rdi -4@$5 4@-20(%rbp)` (sys/sdt.h of SystemTap): the width of each, negative for a signed one. */
export function parseUsdtArguments(text: string): readonly UsdtArgument[] {
  return text.split(/\s+(?=-?[1248][f]?@)/).flatMap((each) => {
    const [, sign, size] = /^(-?)([1248])f?@/.exec(each.trim()) ?? []
    return size === undefined ? [] : [{ size: Number(size), signed: sign === '-' }]
  })
}
