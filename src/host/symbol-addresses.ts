import { readBytes } from './read.ts'

/** Where functions of the kernel begin; those with a name that several have are left out, and those whose address is hidden. */
export function symbolAddresses(names: ReadonlySet<string>): ReadonlyMap<string, bigint> {
  const file = readBytes('/proc/kallsyms')
  return 'errno' in file ? new Map() : parseAddresses(file.bytes.toString('latin1'), names)
}

/** Lines as `ffffffff82022ff0 T tcp_connect`, and a tab and `[module]` (kernel/kallsyms.c, s_show). */
export function parseAddresses(
  text: string,
  names: ReadonlySet<string>,
): ReadonlyMap<string, bigint> {
  const found = new Map<string, bigint | null>()
  for (const [, address = '', name = ''] of text.matchAll(/^([0-9a-f]+) [tTwW] ([\w.]+)/gm)) {
    if (!names.has(name)) continue
    found.set(name, found.has(name) ? null : BigInt(`0x${address}`))
  }
  return new Map(
    [...found].flatMap(([name, address]) =>
      address === null || address === 0n ? [] : [[name, address] as const],
    ),
  )
}
