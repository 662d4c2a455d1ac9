import {
  common,
  heldSocket,
  noOwners,
  sendingOwner,
  ownerHooks,
  ownerHooksByBcc,
  socket,
  tcpStates,
  withoutOwnerHooks,
  withoutOwnerHooksByBcc,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

const options = { ...ownerHooks, btf: true } as const
const without = withoutOwnerHooks
const noBtf = 'the tracepoint does not have it, and without BTF its place in the socket is unknown'

const change = {
  tracepoint: 'sock:inet_sock_set_state',
  fields: ['skaddr', 'oldstate', 'newstate', 'sport', 'dport', 'protocol', 'saddr_v6', 'daddr_v6'],
} as const

const members = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'socket_alloc.vfs_inode.i_ino' },
] as const

export default defineProbe({
  name: 'tcpstates',
  summary: 'TCP state changes, and how long each state lasted',
  example: 'ebpf-run tcpstates --lport 443',
  owner: 'socket',
  events: {
    state: {
      doc: 'one change of state of a TCP socket',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...sendingOwner,
        ...heldSocket,
        ...socket,
        family: { ...socket.family, nullable: true },
        lport: { ...socket.lport, nullAs: 0 },
        laddr: { ...socket.laddr, nullAs: '::' },
        rport: { ...socket.rport, nullAs: 0 },
        raddr: { ...socket.raddr, nullAs: '::' },
        skaddr: {
          kind: 'u64',
          doc: "the kernel's address of the socket: the same in all its events",
        },
        old_state: { kind: 'enum', names: tcpStates, doc: 'state that ended', heading: 'OLD' },
        new_state: { kind: 'enum', names: tcpStates, doc: 'state that began', heading: 'NEW' },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          nullAs: 0,
          doc: 'how long the old state lasted; null when its beginning was not seen',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'lport', 'raddr', 'rport', 'old_state', 'new_state'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'sock:inet_sock_set_state', raw: true },
        ...members,
        { btf: 'sock.sk_protocol' },
        { btf: 'inet_sock.inet_sport' },
      ],
      options: { ...options, raw: true },
      without,
      cannotTell: {},
      misses:
        'nothing beside other tracing programs; from Linux 7.0 on what happens while the program itself was preempted on that CPU (`missed` has it)',
      cost: 'a raw tracepoint program a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ bpftrace: '>=0.16.0' }, change, ...members],
      options: { ...options, raw: false },
      without,
      cannotTell: {},
      misses: 'changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'narrow',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [change, ...members],
      options: { ...options, raw: false },
      without,
      cannotTell: { inode: 'a record of bpftrace before 0.16 has no room for it' },
      misses:
        'changes made while another tracing program runs on that CPU, and owners of sockets older than the run',
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'addresses',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [change],
      options: {
        ...{ accept: false, graft: false, acceptcall: false, sendentry: false, sendkprobe: false },
        ...{ raw: false, btf: false },
      },
      cannotTell: {
        ...noOwners('without BTF a socket is not told from an earlier one at its address'),
        inode: noBtf,
        netns: noBtf,
      },
      misses: 'changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a TCP state change',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        {
          tracepoint: 'sock:inet_sock_set_state',
          fields: ['skaddr', 'oldstate', 'newstate', 'sport', 'dport', 'protocol'],
        },
      ],
      options: ownerHooksByBcc,
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses: 'changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a TCP state change; a compiler run of seconds at the start',
    },
  ],
})
