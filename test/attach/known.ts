import type { Known } from '../../src/attach/request.ts'
import type { Member } from '../../src/attach/compile.ts'
import type { TypeText } from '../../src/host/btf-types.ts'
import type { TracepointField } from '../../src/host/facts.ts'
import { common } from '../../src/schema/common.ts'
import type { Fields } from '../../src/schema/define.ts'

const type = (
  text: string,
  as: TypeText['as'],
  size: number,
  more: Partial<TypeText> = {},
): TypeText => ({
  text,
  as,
  size,
  signed: false,
  struct: null,
  isText: false,
  enumName: null,
  ...more,
})

const int = type('int', 'int', 4, { signed: true })
const sock = type('struct sock *', 'pointer', 8, { struct: 'sock' })

const members: Readonly<Record<string, Member>> = {
  'sock.__sk_common': {
    type: type('struct sock_common', 'other', 136, { struct: 'sock_common' }),
    size: 136,
    length: 0,
  },
  'sock.__sk_common.skc_num': { type: type('__u16', 'int', 2), size: 2, length: 0 },
  'sock.__sk_common.skc_dport': { type: type('__be16', 'int', 2), size: 2, length: 0 },
  'sock.__sk_common.skc_daddr': { type: type('__be32', 'int', 4), size: 4, length: 0 },
  'sock.__sk_common.skc_state': { type: type('unsigned char', 'int', 1), size: 1, length: 0 },
  'sock.__sk_common.skc_v6_daddr': {
    type: type('struct in6_addr', 'other', 16, { struct: 'in6_addr' }),
    size: 16,
    length: 0,
  },
  'sock.__sk_common.skc_v6_rcv_saddr': {
    type: type('struct in6_addr', 'other', 16, { struct: 'in6_addr' }),
    size: 16,
    length: 0,
  },
  'sock.sk_socket': {
    type: type('struct socket *', 'pointer', 8, { struct: 'socket' }),
    size: 8,
    length: 0,
  },
  'socket.flags': { type: type('unsigned long', 'int', 8), size: 8, length: 0 },
}

const field = (name: string, text: string, size: number, length = 0): TracepointField => ({
  name,
  type: text,
  size,
  length,
  offset: 8,
})

/** A kernel with one function and one tracepoint, as BTF and a format file tell of them. */
export const knownHere: Known = {
  category: 'sched',
  signature: {
    name: 'tcp_thing',
    arguments: [
      { name: 'sk', type: sock },
      { name: 'size', type: int },
      { name: 'name', type: type('const char *', 'pointer', 8, { isText: true }) },
      { name: 'by_value', type: type('struct pair', 'other', 16, { struct: 'pair' }) },
    ],
    returns: int,
  },
  fields: [
    field('__syscall_nr', 'int', 4),
    field('skaddr', 'const void *', 8),
    field('newstate', 'int', 4),
    field('sport', '__u16', 2),
    field('saddr', '__u8', 4, 4),
    field('saddr_v6', '__u8', 16, 16),
    field('comm', 'char', 16, 16),
    field('pid', 'pid_t', 4),
    field('odd', 'u32', 12, 3),
    field('behind', '__data_loc char[]', 4),
  ],
  member: (path) => members[path] ?? null,
  members: (struct) =>
    Object.keys(members).flatMap((path) =>
      path.startsWith(`${struct}.`) ? [path.slice(struct.length + 1)] : [],
    ),
}

/** The fields of an event that not every event has. */
export const ownOf = (fields: Fields = {}): readonly string[] =>
  Object.keys(fields).filter((name) => !(name in common))
