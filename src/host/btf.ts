import { btfKinds, idsNamed } from './btf-layout.ts'
import type { Btf } from './btf-types.ts'
import { argumentCount, findPath } from './btf-walk.ts'
import type { BtfMember } from './facts.ts'

/** What a look into BTF found. */
export interface BtfFindings {
  readonly members: Readonly<Record<string, BtfMember | null>>
  readonly functions: Readonly<Record<string, boolean>>
  /** How many arguments each function has that was found. */
  readonly argumentCounts: Readonly<Record<string, number>>
}

/**
 * Looks up member paths (`sock.__sk_common.skc_num`) and function names. A member is null when the path does not lead to one. A
 * bit-field is taken as unsigned. Anonymous structs and unions are searched; a path does not go through pointers.
 */
export function findInBtf(
  { index }: Btf,
  wanted: { readonly members: readonly string[]; readonly functions: readonly string[] },
): BtfFindings {
  const { STRUCT, UNION, TYPEDEF, FUNC } = btfKinds
  const functions = wanted.functions.map(
    (name) => [name, idsNamed(index, name, [FUNC])[0]] as const,
  )
  return {
    members: Object.fromEntries(
      wanted.members.map((path) => [
        path,
        findPath(index, idsNamed(index, rootOf(path), [STRUCT, UNION, TYPEDEF]), path),
      ]),
    ),
    functions: Object.fromEntries(functions.map(([name, id]) => [name, id !== undefined])),
    argumentCounts: Object.fromEntries(
      functions.flatMap(([name, id]) =>
        id === undefined ? [] : [[name, argumentCount(index, id)] as const],
      ),
    ),
  }
}

function rootOf(path: string): string {
  return path.split('.', 1)[0] ?? path
}
