import {
  common,
  ownerHooks,
  ownerHooksByBcc,
  sendingOwner,
  socket,
  withoutOwnerHooks,
  withoutOwnerHooksByBcc,
  heldSocket,
} from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const { time, ktime_ns, cpu } = common

/** States of the kernel's congestion control (enum tcp_ca_state, include/uapi/linux/tcp.h). */
const states = { 0: 'Open', 1: 'Disorder', 2: 'CWR', 3: 'Recovery', 4: 'Loss' } as const

const sockState = {
  tracepoint: 'sock:inet_sock_set_state',
  fields: ['skaddr', 'newstate', 'protocol'],
} as const
const members = [
  { btf: 'sock.__sk_common.skc_v6_daddr' },
  { btf: 'inet_sock.inet_sport' },
  { btf: 'inet_connection_sock.icsk_ca_state' },
] as const
const options = ownerHooks

/** What a change of state was inlined into before 5.19. */
const setters = [
  { function: 'tcp_fastretrans_alert', by: 'kprobe' },
  { function: 'tcp_simple_retransmit', by: 'kprobe' },
  { function: 'tcp_enter_cwr', by: 'kprobe' },
  { function: 'tcp_enter_loss', by: 'kprobe' },
] as const
const tlp = { function: 'tcp_process_tlp_ack', by: 'kprobe' } as const
const missesByKprobe =
  'states that one acknowledgement enters and leaves, and changes made while another tracing program runs on that CPU'
const costByKprobe =
  'a kprobe and a kretprobe an acknowledgement that is no plain progress, and a tracepoint program a TCP state change'

export default defineProbe({
  name: 'tcpcong',
  summary: 'TCP congestion: how long each connection spends in Open, Disorder, CWR, Recovery, Loss',
  example: 'ebpf-run tcpcong --rport 443 --duration 60',
  owner: 'socket',
  aggregate: { by: ['laddr', 'lport', 'raddr', 'rport', 'old_state'], totals: true },
  events: {
    change: {
      doc: 'one change of the congestion state of a TCP connection, or the end of a connection that had one',
      fields: {
        time,
        ktime_ns,
        cpu,
        ...sendingOwner,
        ...heldSocket,
        ...socket,
        old_state: {
          kind: 'enum',
          names: states,
          doc: 'state that ended',
          heading: 'OLD',
          width: 8,
        },
        new_state: {
          kind: 'enum',
          names: states,
          nullAs: 255,
          doc: 'state that began; null where the connection ended',
          heading: 'NEW',
          width: 8,
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          nullAs: 0,
          doc: 'how long the old state lasted; null when its beginning was not seen',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'lport', 'raddr', 'rport', 'old_state', 'new_state', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'tcp:tcp_cong_state_set', raw: true },
        { tracepoint: 'sock:inet_sock_set_state', raw: true },
        ...members,
        { btf: 'sock.sk_protocol' },
      ],
      options: { ...options, raw: true },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses:
        'nothing beside other tracing programs; from Linux 7.0 on what happens while the program itself was preempted on that CPU (`missed` has it)',
      cost: 'a raw tracepoint program a change of congestion state and a TCP state change',
    },
    {
      name: 'fentry',
      backend: 'bpftrace',
      template: 'fentry.bt',
      needs: [
        { bpftrace: '>=0.16.0' },
        { function: 'tcp_set_ca_state', by: 'fentry' },
        sockState,
        ...members,
      ],
      options: { ...options, raw: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses:
        'beginnings and ends of connections that came while another tracing program ran on that CPU',
      cost: 'a trampoline a change of congestion state, and a tracepoint program a TCP state change',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'tcp:tcp_cong_state_set', fields: ['skaddr', 'cong_state'] },
        sockState,
        ...members,
      ],
      options: { ...options, raw: false },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: 'changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a change of congestion state and a TCP state change',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [...setters, sockState, ...members],
      options: {
        ...options,
        raw: false,
        tlp,
      },
      without: withoutOwnerHooks,
      cannotTell: {},
      misses: missesByKprobe,
      cost: costByKprobe,
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        {
          tracepoint: 'tcp:tcp_cong_state_set',
          fields: ['skaddr', 'sport', 'dport', 'cong_state'],
        },
        {
          tracepoint: 'sock:inet_sock_set_state',
          fields: ['skaddr', 'newstate', 'sport', 'dport', 'protocol'],
        },
      ],
      options: ownerHooksByBcc,
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses: 'changes made while another tracing program runs on that CPU',
      cost: 'a tracepoint program a change of congestion state and a TCP state change; a compiler run of seconds at the start',
    },
    {
      name: 'bcckprobe',
      backend: 'bcc',
      template: 'kprobe.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        ...setters,
        {
          tracepoint: 'sock:inet_sock_set_state',
          fields: ['skaddr', 'newstate', 'sport', 'dport', 'protocol'],
        },
      ],
      options: { ...ownerHooksByBcc, tlp },
      without: withoutOwnerHooksByBcc,
      cannotTell: {},
      misses: missesByKprobe,
      cost: `${costByKprobe}; a compiler run of seconds at the start`,
    },
  ],
})
