import { EbpfRunError } from '../errors.ts'
import { isTaskNumber, membersOfTask } from './task-numbers.ts'

/*
 * A template is bpftrace with these directives, each in double braces:
 *
 *   include FILE              another file of the probe's folder, or of the folder above it (../FILE), which may include others
 *   when NAME / else / end    a part that stands only where an option of the variant holds
 *   read PATH EXPR            a member of a kernel struct (PATH[n] of an array), placed by the running kernel's BTF
 *   port PATH EXPR            the same for a 16-bit number in network order
 *   string PATH EXPR          the text in an array of characters in a kernel struct
 *   byte EXPR                 the byte at a kernel address
 *   user EXPR                 an address of the traced process
 *   word EXPR                 the 64-bit word at a user-space address
 *   task NUMBER VARIABLE EXPR  sets a variable to a number of the task at a kernel address: ppid, mntns, pidns or netns; 0 for none
 *   offset PATH               where a member of a kernel struct begins, in bytes
 *   symbol NAME               the address of a variable of the kernel
 *   pointer EXPR              the pointer at a kernel address, such as an item of an array
 *   text EXPR BYTES           the string at a user-space address
 *   name EXPR BYTES           the string at a kernel address
 *   entry FUNC, exit FUNC     fentry and fexit attach points, as this bpftrace names them
 *   uprobe LIB FUNC           attach point at a function of a shared library (its name) or program (its path), uretprobe at its return
 *   usdt FILE PROVIDER:NAME  attach point at a mark that a program's author left
 *   items                     how many items of a list fit
 *   param NAME                a number of the probe's own
 *   child                     process id of bpftrace or bcc itself; 0 where the kernel numbers processes otherwise than we do
 *   own                       the same of ebpf-run
 *   named EVENT.FIELD NAME    the number that this kernel has for a name of an enum; 4294967295 for one that it does not have
 *   map NAME                  a map of a script's, with the run's token in its name
 *   counted                   sees to it that the counts are printed when the program ends itself
 *   kept MAP[KEY]             counts that the map was full when MAP[KEY] was set
 *   learn KEY PORT            keeps the current task as the owner of the connection whose socket is at an address; PORT is its remote one
 *   open KEY PORT             the same for one that has no local end yet: connect() and listen()
 *   settle KEY PORT           it has one now; the owner stays
 *   forget KEY                drops the owner
 *   owner VARIABLE KEY PORT   KEY if its owner is known and the socket still has the same ends, PORT being its remote one; else 0
 *   part EVENT.LIST KEY INDEX TEXT
 *   emit EVENT + lines of `task`, `owner VARIABLE`, `owner nobody`, `field = expression`, `around STATEMENT` (its output belongs to
 *                             the event) or `always` (also behind the gate)
 * `when ending` holds what is done once when the gate closes.
 *
 * An address in an emit is `in6 PATH EXPR` (16 bytes in a kernel struct), `in4 EXPR` (32 bits, network order), `bound EXPR` (the
 * local one of the socket at an address, also where only bind() has set it) or `raw EXPR`.
 */

export type Node =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'directive'; readonly name: string; readonly rest: string }
  | {
      readonly is: 'when'
      readonly condition: string
      readonly then: readonly Node[]
      readonly otherwise: readonly Node[]
    }

const directivePattern = /\{\{\s*([a-z0-9]+)\s*([^]*?)\}\}(?!\})/g

/** Template text to nodes. Throws BAD_DEFINITION for what does not close. */
export function parseTemplate(source: string, where: string): readonly Node[] {
  const flat: Node[] = []
  let from = 0
  for (const match of source.matchAll(directivePattern)) {
    flat.push({ is: 'text', text: source.slice(from, match.index) })
    flat.push({ is: 'directive', name: match[1] ?? '', rest: (match[2] ?? '').trim() })
    from = match.index + match[0].length
  }
  flat.push({ is: 'text', text: source.slice(from) })
  const reader = { nodes: flat, at: 0 }
  const nodes = nest(reader, where)
  if (reader.at < flat.length) throw broken(where, 'an {{else}} or {{end}} without its {{when}}')
  return nodes
}

/**
 * Where a socket has its local address. bind() of an IPv4 socket sets the short one alone; connecting and accepting set both
 * (inet_bind, sk_rcv_saddr_set in include/net/ip.h). That of an IPv6 socket counts only in its long form: the kernel puts
 * 127.0.0.6 into the short one.
 */
export const localAddress = {
  family: 'sock.__sk_common.skc_family',
  in4: 'sock.__sk_common.skc_rcv_saddr',
  in6: 'sock.__sk_common.skc_v6_rcv_saddr',
} as const

/** What tells a socket from an earlier one at the same address: both ends, network namespace, first sequence number; or its inode. */
export const socketEnds = {
  remote: 'sock.__sk_common.skc_v6_daddr',
  local: 'sock.__sk_common.skc_v6_rcv_saddr',
  port: 'inet_sock.inet_sport',
  net: 'sock.__sk_common.skc_net.net',
  netns: 'net.ns.inum',
  unacked: 'tcp_sock.snd_una',
  acked: 'tcp_sock.bytes_acked',
  socket: 'sock.sk_socket',
  inode: 'socket_alloc.vfs_inode.i_ino',
} as const

/** Every member path that the template reads, so that the host can be asked for them. */
export function membersRead(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => {
    if (node.is === 'when') return [...membersRead(node.then), ...membersRead(node.otherwise)]
    if (node.is === 'text') return []
    const text = `${node.name} ${node.rest}`
    const [number = ''] = node.rest.split(/\s/)
    return [
      ...(node.name === 'task' && isTaskNumber(number) ? membersOfTask(number) : []),
      ...[...text.matchAll(/\b(?:read|port|string|in6|offset)\s+([a-z_0-9]+\.[^\s[]+)/g)].map(
        (match) => match[1] ?? '',
      ),
      ...(/= bound /.test(text) ? Object.values(localAddress) : []),
      ...(/^(?:learn|open|settle|owner) /.test(text) ? Object.values(socketEnds) : []),
    ]
  })
}

/** Whether one of these directives stands anywhere in the template. */
export function hasDirective(nodes: readonly Node[], names: readonly string[]): boolean {
  return nodes.some((node) => {
    if (node.is === 'when')
      return hasDirective(node.then, names) || hasDirective(node.otherwise, names)
    return node.is === 'directive' && names.includes(node.name)
  })
}

export function broken(where: string, what: string): EbpfRunError {
  return new EbpfRunError({ code: 'BAD_DEFINITION', message: `${where}: ${what}` })
}

function nest(reader: { nodes: readonly Node[]; at: number }, where: string): readonly Node[] {
  const done: Node[] = []
  for (;;) {
    const node = reader.nodes[reader.at]
    if (node === undefined || isMark(node, 'else') || isMark(node, 'end')) return done
    reader.at += 1
    if (node.is !== 'directive' || node.name !== 'when') {
      done.push(node)
      continue
    }
    const then = nest(reader, where)
    const otherwise = isMark(reader.nodes[reader.at], 'else')
      ? ((reader.at += 1), nest(reader, where))
      : []
    if (!isMark(reader.nodes[reader.at], 'end'))
      throw broken(where, `{{when ${node.rest}}} without {{end}}`)
    reader.at += 1
    done.push({ is: 'when', condition: node.rest, then, otherwise })
  }
}

function isMark(node: Node | undefined, name: string): boolean {
  return node?.is === 'directive' && node.name === name
}
