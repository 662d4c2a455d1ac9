import type { FieldSpec } from './define.ts'
import { type Kind, kinds } from './kinds.ts'

/** Functions of a call stack at most: what bpftrace shows by itself, and the kernel's own limit (kernel.perf_event_max_stack). */
const mostFrames = 127

/** Types of a struct's members: how C declares them, how wide they are. Texts have as many bytes as they are told. */
const memberTypes = {
  u64: { c: '__u64', bytes: 8, align: 8 },
  i64: { c: '__s64', bytes: 8, align: 8 },
  stack: { c: '__u64', bytes: 8 * mostFrames, align: 8 },
  address: { c: '__u32', bytes: 16, align: 4 },
  u32: { c: '__u32', bytes: 4, align: 4 },
  i32: { c: '__s32', bytes: 4, align: 4 },
  u16: { c: '__u16', bytes: 2, align: 2 },
  u8: { c: '__u8', bytes: 1, align: 1 },
  text: { c: '__u8', bytes: 0, align: 1 },
} as const

export type MemberType = keyof typeof memberTypes

const typeOfKind: Partial<Record<Kind, MemberType>> = {
  u8: 'u8',
  u16: 'u16',
  u32: 'u32',
  i32: 'i32',
  u64: 'u64',
  i64: 'i64',
  ktime: 'u64',
  duration: 'u64',
  device: 'u32',
  load: 'u64',
  enum: 'u32',
  result: 'i32',
  address: 'address',
}

/** A member of a record's struct. */
export interface CMember {
  readonly name: string
  readonly type: MemberType
  readonly offset: number
  readonly bytes: number
}

/** A record as the kernel hands it over: a header word that holds its number, then the fields, the widest first. */
export interface CStruct {
  readonly name: string
  readonly members: readonly CMember[]
  readonly bytes: number
}

/** Bytes of the header: the record's number, and four that fill up. */
const headerBytes = 8

/** The struct of a record with these fields. No member needs padding before it, so the offsets hold for every compiler. */
export function cStruct(
  name: string,
  fields: readonly { readonly name: string; readonly spec: FieldSpec }[],
): CStruct {
  const typed = fields.map((field) => ({ ...field, type: memberType(field.spec) }))
  const order = Object.keys(memberTypes)
  typed.sort((one, other) => order.indexOf(one.type) - order.indexOf(other.type))
  let offset = headerBytes
  const members = typed.map((field) => {
    const bytes = field.type === 'text' ? textBytes(field.spec) : memberTypes[field.type].bytes
    const member = { name: field.name, type: field.type, offset, bytes }
    offset += bytes
    return member
  })
  return { name, members, bytes: Math.ceil(offset / 8) * 8 }
}

/** The declaration, with what the compiler must agree to. */
export function cDeclaration({ name, members, bytes }: CStruct): string {
  const lines = members.map((member) => {
    const length = lengthOf(member)
    return `  ${memberTypes[member.type].c} ${member.name}${length === null ? '' : `[${length}]`};`
  })
  const last = members.at(-1)
  const checks = [
    `_Static_assert(sizeof(struct ${name}) == ${bytes}, "size");`,
    ...(last === undefined
      ? []
      : [
          `_Static_assert(__builtin_offsetof(struct ${name}, ${last.name}) == ${last.offset}, "place");`,
        ]),
  ]
  return `struct ${name} {\n  __u32 er_record;\n  __u32 er_fill;\n${lines.join('\n')}\n} __attribute__((aligned(8)));\n${checks.join('\n')}`
}

/** Elements of a member that is an array. */
function lengthOf({ type, bytes }: CMember): number | null {
  if (type === 'address') return 4
  if (type === 'stack') return mostFrames
  return type === 'text' ? bytes : null
}

/** Whether a member's numbers have a sign. */
export function isSigned(type: MemberType): boolean {
  return type === 'i32' || type === 'i64'
}

/** One byte more than is shown, to know that there was more, and one for the NUL. */
function textBytes(spec: FieldSpec): number {
  return (spec.bytes ?? 0) + 2
}

function memberType(spec: FieldSpec): MemberType {
  if (spec.kind === 'stack') return 'stack'
  if (kinds[spec.kind].travel === 'text') return 'text'
  const type = typeOfKind[spec.kind] ?? 'u64'
  if (typeof spec.nullAs !== 'number') return type
  // A number that stands for no value needs the room for both: a negative one makes the others signed.
  const isOutside = isSigned(type) ? spec.nullAs > mostSigned : spec.nullAs < 0
  return isOutside ? 'i64' : type
}

const mostSigned = 2 ** 31 - 1
