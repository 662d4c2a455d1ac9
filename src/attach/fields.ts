import type { Argument, Signature } from '../host/btf-types.ts'
import type { TracepointField } from '../host/facts.ts'
import type { FieldSpec } from '../schema/define.ts'
import type { Value, ValueType } from './compile.ts'
import { inC } from './user-bcc.ts'

/** Bytes of a path or text that are fetched where nothing says how long it is. */
export const shownBytes = 128

/** The field that shows a value; null: it is not a value by itself. */
export function fieldOf(type: ValueType, doc: string): FieldSpec | null {
  switch (type.is) {
    case 'int':
      return { kind: intKind(type), doc, ...(type.names ? { names: type.names } : {}) }
    case 'bool':
      return { kind: 'u8', doc }
    case 'text':
      return { kind: 'text', bytes: Math.max(1, Math.min(type.bytes, shownBytes)), doc }
    case 'text pointer':
      return { kind: 'text', bytes: shownBytes, emptyIsNull: true, doc }
    case 'pointer':
      return { kind: 'pointer', nullAs: '0', doc }
    case 'address':
      return { kind: 'address', doc }
    case 'struct':
      return null
    default:
      return type satisfies never
  }
}

function intKind({ names, size, signed }: ValueType & { is: 'int' }): FieldSpec['kind'] {
  if (names !== undefined) return 'enum'
  if (size === 8) return signed ? 'i64' : 'u64'
  if (signed) return 'i32'
  return size === 1 ? 'u8' : size === 2 ? 'u16' : 'u32'
}

/** What stands in an emit for a value, in C for bcc. */
export function emittedInC(value: Value): string {
  const { type, code } = value
  if (type.is === 'text') return 'comm'
  if (type.is === 'text pointer') return `user ${inC(code)}`
  return inC(emitted(value))
}

/** What stands in an emit for a value. */
export function emitted({ type, code }: Value): string {
  switch (type.is) {
    case 'int':
      return `(${type.signed ? 'int64' : 'uint64'})(${code})`
    case 'bool':
      return `((${code}) ? (uint64)1 : (uint64)0)`
    case 'text pointer':
      return type.isUser ? `{text ${code} ${shownBytes}}` : `str(${code}, ${shownBytes + 2})`
    case 'address':
      return `${type.form} ${code}`
    case 'text':
    case 'pointer':
    case 'struct':
      return type.is === 'pointer' ? `(uint64)(${code})` : code
    default:
      return type satisfies never
  }
}

/** The type of a tracepoint's field; null: it cannot be shown. Memory that a system call's arguments point to is the process's. */
export function tracepointType(field: TracepointField, isSyscall: boolean): ValueType | null {
  const { type, size, length, names } = field
  if (type.startsWith('__data_loc') || type.startsWith('__rel_loc'))
    return /\bchar\b/.test(type) ? { is: 'text', bytes: shownBytes } : null
  if (length > 0) {
    if (/\bchar\b/.test(type)) return { is: 'text', bytes: length - 1 }
    const isBytes = /\b(?:__u8|u8|unsigned char)\b/.test(type)
    if (isBytes && (length === 4 || length === 16) && /addr/.test(field.name))
      return { is: 'address', bytes: length, form: 'raw' }
    return null
  }
  if (type.endsWith('*'))
    return /^(?:const )?char \*$/.test(type)
      ? { is: 'text pointer', isUser: isSyscall }
      : { is: 'pointer', struct: structIn(type) }
  // The kernel keeps a system call's `int` in 64 bits.
  const narrow = /^(?:const )?(?:int|unsigned int|umode_t|mode_t|uid_t|gid_t|pid_t|qid_t)$/.test(
    type,
  )
  const signed =
    /^(?:const )?(?:int|pid_t|long|long long|short|s8|s16|s32|s64|__s\d+|ssize_t|off_t|loff_t|char|signed char)$/.test(
      type,
    )
  return {
    is: 'int',
    size: narrow && size === 8 ? 4 : size,
    signed,
    ...(names === undefined ? {} : { names }),
  }
}

function structIn(type: string): string | null {
  return /\bstruct (\w+) \*$/.exec(type)?.[1] ?? null
}

/** A cast that gives an integer its own width and sign, whatever the register held. */
export function asInt(code: string, { size, signed }: ValueType & { is: 'int' }): string {
  return `(${signed ? 'int' : 'uint'}${size * 8})${code}`
}

/** Expressions that show an argument of a function best: field to expression. */
export function tellingFields(
  argument: Argument,
  has: (path: string) => boolean,
): readonly { readonly name: string; readonly source: string }[] {
  const { name, type } = argument
  const known = (fields: readonly (readonly [string, string, string])[]) =>
    fields.filter(([, , path]) => has(path)).map(([field, source]) => ({ name: field, source }))
  if (type.as === 'pointer' && type.struct === 'sock')
    return known([
      ['laddr', `${name}.__sk_common.skc_v6_rcv_saddr`, 'sock.__sk_common.skc_v6_rcv_saddr'],
      ['lport', `${name}.__sk_common.skc_num`, 'sock.__sk_common.skc_num'],
      ['raddr', `${name}.__sk_common.skc_v6_daddr`, 'sock.__sk_common.skc_v6_daddr'],
      ['rport', `${name}.__sk_common.skc_dport`, 'sock.__sk_common.skc_dport'],
      ['state', `${name}.__sk_common.skc_state`, 'sock.__sk_common.skc_state'],
    ])
  if (type.as === 'pointer' && type.struct === 'sk_buff')
    return known([[`${name}_len`, `${name}.len`, 'sk_buff.len']])
  if (type.as === 'pointer' && type.struct === 'file')
    return known([[`${name}_name`, `${name}.f_path.dentry.d_name.name`, 'file.f_path.dentry']])
  if (type.as === 'other') return []
  return name === '' ? [] : [{ name, source: name }]
}

/** The arguments that a kprobe can see: those in registers (x86-64, System V). */
export function inRegisters(signature: Signature): readonly Argument[] {
  return signature.arguments.slice(0, 6)
}
