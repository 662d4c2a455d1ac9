/** What a mark says of one argument: how many bytes it has. */
export interface UsdtArgument {
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly signed: boolean
}

/** Reads `8@%rdi -4@$5 4@-20(%rbp)` (sys/sdt.h of SystemTap): the width of each, negative for a signed one. */
export function parseUsdtArguments(text: string): readonly UsdtArgument[] {
  return text.split(/\s+(?=-?[1248][f]?@)/).flatMap((each) => {
    const [, sign, size] = /^(-?)([1248])f?@/.exec(each.trim()) ?? []
    return size === undefined ? [] : [{ size: Number(size), signed: sign === '-' }]
  })
}
