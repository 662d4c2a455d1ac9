import { btfKinds, findName, indexTypes, splitBtf } from './btf-layout.ts'
import { argumentCount, findPath, recordOf } from './btf-walk.ts'
import type { BtfMember } from './facts.ts'

/** What a look into BTF found. */
export interface BtfFindings {
  readonly members: Readonly<Record<string, BtfMember | null>>
  readonly functions: Readonly<Record<string, boolean>>
  /** How many arguments each function has that was found. */
  readonly argumentCounts: Readonly<Record<string, number>>
}

/**
 * Looks up member paths (`sock.__sk_common.skc_num`) and function names in one pass over BTF. Null: not BTF.
 * A member is null when the path does not lead to one. A bit-field is taken as unsigned.
 * Anonymous structs and unions are searched; a path does not go through pointers.
 */
export function findInBtf(
  btf: Buffer,
  wanted: { members: readonly string[]; functions: readonly string[] },
): BtfFindings | null {
  const sections = splitBtf(btf)
  if (sections === null) return null
  const offsets = new Map(
    [...wanted.members.map(rootOf), ...wanted.functions].map((name) => [
      name,
      findName(sections.names, name),
    ]),
  )
  const { STRUCT, UNION, TYPEDEF, FUNC } = btfKinds
  const index = indexTypes(sections, [STRUCT, UNION, TYPEDEF, FUNC], [...offsets.values()])
  const idsOf = (name: string) => index.found.get(offsets.get(name) ?? -1) ?? []
  const functionOf = (name: string) => idsOf(name).find((id) => recordOf(index, id).kind === FUNC)
  return {
    members: Object.fromEntries(
      wanted.members.map((path) => [path, findPath(index, idsOf(rootOf(path)), path)]),
    ),
    functions: Object.fromEntries(
      wanted.functions.map((name) => [name, functionOf(name) !== undefined]),
    ),
    argumentCounts: Object.fromEntries(
      wanted.functions.flatMap((name) => {
        const found = functionOf(name)
        return found === undefined ? [] : [[name, argumentCount(index, found)] as const]
      }),
    ),
  }
}

/** Member path -> its place, null when BTF has no such member. */
export function findMembers(
  btf: Buffer,
  paths: readonly string[],
): Record<string, BtfMember | null> {
  return { ...findInBtf(btf, { members: paths, functions: [] })?.members }
}

/** True when BTF describes a function of that name (FUNC). */
export function hasFunction(btf: Buffer, name: string): boolean {
  return findInBtf(btf, { members: [], functions: [name] })?.functions[name] === true
}

function rootOf(path: string): string {
  return path.split('.', 1)[0] ?? path
}
