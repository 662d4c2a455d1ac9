import type { FieldSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'
import type { Mark } from './usdt.ts'
import { argumentsIn } from './user-bcc.ts'

/*
 * An argument of a mark may lie in a page that is not in memory, where no program can read it. In C `unread` has a bit for each
 * such argument, and its fields are null; bpftrace says 0.
 */

/**
 * What stands for null on the wire: a number outside of the kind's own. Of those that fill 64 bits, and of results, it is one of as many,
 * drawn once; a program that has exactly this number shows null.
 */
const drawn = 0x25c7_31d9_4be6_8f13n
const drawnResult = 0x11_d94b_e68f_1325

function nullOf(kind: FieldSpec['kind']): number | string | null {
  if (kind === 'u64' || kind === 'i64') return drawn.toString()
  if (kind === 'pointer') return drawn.toString(16)
  if (kinds[kind].travel === 'text') return null
  if (kind === 'result') return drawnResult
  return kind === 'i32' ? 2 ** 31 : -1
}

/** The arguments that lie in memory at one of the mark's places at least. */
export function argumentsInMemory(mark: Mark | null): readonly number[] {
  return (mark?.arguments ?? []).flatMap(({ inMemory }, index) => (inMemory ? [index] : []))
}

/** The field, null where one of its arguments could not be read. A text at such an address is null by itself. */
export function orUnread(
  { spec, code }: { readonly spec: FieldSpec; readonly code: string },
  inMemory: readonly number[],
  isC: boolean,
): { readonly spec: FieldSpec; readonly code: string } {
  const mask = maskOf(code, inMemory)
  const nullAs = nullOf(spec.kind)
  if (mask === 0n || nullAs === null) return { spec, code }
  const none = spec.kind === 'pointer' ? drawn : BigInt(nullAs)
  return {
    spec: { ...spec, nullAs },
    code: isC ? `(unread & ${mask} ? ${BigInt.asUintN(64, none)}ULL : (u64)(${code}))` : code,
  }
}

/** A condition, which does not hold where one of its arguments could not be read. */
export function onlyRead(code: string, inMemory: readonly number[]): string {
  const mask = maskOf(code, inMemory)
  return mask === 0n ? code : `!(unread & ${mask}) && (${code})`
}

function maskOf(code: string, inMemory: readonly number[]): bigint {
  const bits = argumentsIn(code).filter((index) => inMemory.includes(index))
  return bits.reduce((mask, index) => mask | (1n << BigInt(index)), 0n)
}
