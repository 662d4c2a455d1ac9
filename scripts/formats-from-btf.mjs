// Writes fixtures/host/formats/KERNEL from that kernel's BTF, for the tracepoints of formats/6.18. Needs a build:
//   node scripts/formats-from-btf.mjs KERNEL BTF      (BTF: /sys/kernel/btf/vmlinux, or the section .BTF of a vmlinux)
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { openBtf, rawTracepointOf, structOf } from '../dist/src/host/btf-types.js'

const root = new URL('../fixtures/host/formats/', import.meta.url)

/** The classes that events of several kernels share (DEFINE_EVENT); an event without an own struct is of its class. */
const classes = {
  tcp_retransmit_skb: 'tcp_event_sk_skb',
  tcp_send_reset: 'tcp_event_sk_skb',
  tcp_receive_reset: 'tcp_event_sk',
  tcp_destroy_sock: 'tcp_event_sk',
  sock_send_length: 'sock_msg_length',
  sock_recv_length: 'sock_msg_length',
  sched_process_exit: 'sched_process_template',
  sched_wakeup: 'sched_wakeup_template',
  sched_wakeup_new: 'sched_wakeup_template',
  block_rq_issue: 'block_rq',
  block_rq_insert: 'block_rq',
  block_io_start: 'block_rq',
  block_rq_complete: 'block_rq_completion',
}

/** BTF puts the words of a C type into an order of its own. */
const spelled = (type) =>
  type.replace(/^(short|long|long long) (unsigned )?int$/, (_, size, sign = '') => `${sign}${size}`)

/** A member as a format file spells it; what its size is, that file alone knows. */
function fieldLine({ name, type, offsetBits }) {
  const [, location] = /^__data_loc_(\w+)$/.exec(name) ?? []
  const [, item = type.text, length] = /^(.*) \[(\d+)\]$/.exec(type.text) ?? []
  const declared =
    location === undefined
      ? `${spelled(item)} ${name}${length === undefined ? '' : `[${length}]`}`
      : `__data_loc char[] ${location}`
  return `\tfield:${declared};\toffset:${offsetBits / 8};\tsize:${type.size};\n`
}

/** Text of a format file, null where this kernel has no such tracepoint. */
function formatOf(btf, name) {
  if (rawTracepointOf(btf, name) === null) return null
  const struct = [name, classes[name]]
    .filter((each) => each !== undefined)
    .map((each) => structOf(btf, `trace_event_raw_${each}`))
    .find((each) => each !== null)
  const members = struct?.members.filter((each) => each.name !== 'ent' && each.name !== '__data')
  return members === undefined ? null : `name: ${name}\nformat:\n${members.map(fieldLine).join('')}`
}

const [kernel, file] = process.argv.slice(2)
if (kernel === undefined || file === undefined) {
  console.error('usage: node scripts/formats-from-btf.mjs KERNEL BTF')
  process.exit(2)
}
const btf = openBtf(readFileSync(file))
if (btf === null) throw new Error(`${file} is not BTF of this machine's byte order`)
for (const category of readdirSync(new URL('6.18/', root)))
  for (const name of readdirSync(new URL(`6.18/${category}/`, root))) {
    const text = formatOf(btf, name)
    if (text === null) continue
    mkdirSync(new URL(`${kernel}/${category}/`, root), { recursive: true })
    writeFileSync(new URL(`${kernel}/${category}/${name}`, root), text)
  }
