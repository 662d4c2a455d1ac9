import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

/** The way from a task to its own pid namespace (fs/nsfs.c, task_active_pid_ns). */
const pidNamespace = [
  { btf: 'task_struct.thread_pid' },
  { btf: 'pid.level' },
  { btf: 'pid.numbers' },
  { btf: 'upid.ns' },
  { btf: 'pid_namespace.ns.inum' },
] as const

export default defineProbe({
  name: 'runqlat',
  summary: 'how long threads that could run waited for a CPU',
  example: 'ebpf-run runqlat --duration 10',
  owner: 'task',
  aggregate: { by: [], histogram: 'duration_ns' },
  switches: {
    pidnss: {
      doc: "also the thread's pid namespace, for `--by pidns`, which asks for it by itself",
      fields: ['pidns'],
    },
  },
  events: {
    wait: {
      doc: 'one wait of a thread on the run queue, when it gets the CPU',
      fields: {
        ...common,
        pid: { ...common.pid, nullAs: 0 },
        cpu: { ...common.cpu, doc: 'CPU that the thread got' },
        uid: { ...common.uid, nullAs: 4_294_967_295 },
        cgroup: { ...common.cgroup, nullAs: '0' },
        pidns: {
          kind: 'u32',
          nullAs: 0,
          later: true,
          doc: "with `--pidnss` the thread's pid namespace: inode of /proc/PID/ns/pid",
          width: 10,
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'from the wake-up, or from when the CPU was taken away, until the thread runs',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'tid', 'cpu', 'comm', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'switch.bt',
      needs: [
        { tracepoint: 'sched:sched_wakeup', raw: true },
        { tracepoint: 'sched:sched_wakeup_new', raw: true },
        { tracepoint: 'sched:sched_switch', raw: true },
        { btf: 'task_struct.tgid' },
        { btf: 'cred.uid.val' },
        { btf: 'kernfs_node.id' },
      ],
      options: { raw: true, renamed: { btf: 'task_struct.__state' } },
      switches: { pidnss: pidNamespace },
      cannotTell: {},
      misses:
        'nothing beside other tracing programs; from Linux 7.0 on what happens while the program itself was preempted on that CPU (`missed` has it)',
      cost: 'a raw tracepoint program a wake-up and a change of threads',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'switch.bt',
      needs: [
        { tracepoint: 'sched:sched_wakeup', fields: ['pid'] },
        { tracepoint: 'sched:sched_wakeup_new', fields: ['pid'] },
        {
          tracepoint: 'sched:sched_switch',
          fields: ['prev_pid', 'prev_state', 'next_pid', 'next_comm'],
        },
        { tracepoint: 'task:task_newtask', fields: ['pid', 'clone_flags'] },
      ],
      options: { raw: false, renamed: false },
      switches: {
        pidnss: [
          ...pidNamespace,
          { btf: 'task_struct.nsproxy' },
          { btf: 'nsproxy.pid_ns_for_children' },
        ],
      },
      cannotTell: {},
      misses:
        'waits that begin or end while another tracing program runs on that CPU; pid, uid, cgroup and pid namespace of a thread that neither began nor slept since the start',
      cost: 'a tracepoint program a wake-up and a change of threads',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'sched:sched_wakeup', raw: true },
        { tracepoint: 'sched:sched_wakeup_new', raw: true },
        { tracepoint: 'sched:sched_switch', raw: true },
      ],
      cannotTell: {},
      misses:
        'nothing beside other tracing programs; from Linux 7.0 on what happens while the program itself was preempted on that CPU (`missed` has it)',
      cost: 'a raw tracepoint program a wake-up and a change of threads; a compiler run of seconds at the start',
    },
  ],
})
