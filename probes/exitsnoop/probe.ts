import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'
import { signals } from '../../src/schema/signals.ts'

/** What every variant reads of the task that ends. */
const members = [
  { btf: 'task_struct.exit_code' },
  { btf: 'task_struct.real_parent' },
  { btf: 'task_struct.start_boottime' },
  { btf: 'signal_struct.group_exit_code' },
] as const

/** bpftrace 0.11 counts by the monotonic clock, later ones by that of boot time. */
const options = { monotonic: { bpftrace: '<0.12.0' } } as const

export default defineProbe({
  name: 'exitsnoop',
  summary: 'process ends: exit code or signal, parent, and how long the process lived',
  example: 'ebpf-run exitsnoop --failed',
  owner: 'task',
  inTask: true,
  failed: [
    { field: 'exit_code', min: 1, max: 255 },
    { field: 'signal', min: 1, max: 127 },
  ],
  params: {
    threads: {
      doc: '1 shows the end of every thread, 0 that of processes alone',
      default: 0,
      min: 0,
      max: 1,
    },
  },
  events: {
    exit: {
      doc: 'the end of a process, or of a thread where they were asked for',
      fields: {
        ...common,
        tid: { ...common.tid, doc: 'thread id; of a process the thread that ended last' },
        ppid: { kind: 'u32', doc: "the parent's process id" },
        kind: {
          kind: 'enum',
          names: { 1: 'process', 2: 'thread' },
          doc: 'what ended: the process with its last thread, or a thread while others live on',
          width: 7,
        },
        exit_code: {
          kind: 'i32',
          doc: 'what it passed to exit(), 0 to 255; null when a signal ended it',
          nullAs: -1,
          heading: 'CODE',
        },
        signal: {
          kind: 'enum',
          names: signals,
          doc: 'the signal that ended it; null when it called exit()',
          nullAs: 0,
          width: 10,
        },
        core_dumped: {
          kind: 'enum',
          names: { 0: 'no', 1: 'yes' },
          doc: 'whether the kernel wrote a core dump',
          width: 4,
          heading: 'CORE',
        },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'how long it lived, from its fork() or clone()',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'ppid', 'comm', 'exit_code', 'signal', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'fentry',
      backend: 'bpftrace',
      template: 'function.bt',
      needs: [{ bpftrace: '>=0.16.0' }, { function: 'taskstats_exit', by: 'fentry' }, ...members],
      options: { ...options, fentry: true },
      cannotTell: {},
      misses: 'nothing: a trampoline runs also while another tracing program does',
      cost: 'one trampoline the end of a thread',
    },
    {
      name: 'rawtracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'sched:sched_process_exit', fields: ['group_dead'], raw: true },
        ...members,
      ],
      options: { ...options, raw: true, told: true },
      cannotTell: {},
      misses:
        'nothing beside other tracing programs; from Linux 7.0 on what happens while the program itself was preempted on that CPU (`missed` has it)',
      cost: 'a raw tracepoint program the end of a thread',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'function.bt',
      needs: [{ function: 'taskstats_exit', by: 'kprobe' }, ...members],
      options: { ...options, fentry: false },
      cannotTell: {},
      misses: 'ends while another tracing program runs on that CPU',
      cost: 'a kprobe the end of a thread',
    },
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'sched:sched_process_exit' },
        { tracepoint: 'sched:sched_process_free', fields: ['pid'] },
        { btf: 'signal_struct.live.counter' },
        { btf: 'signal_struct.nr_threads' },
        ...members,
      ],
      options: {
        ...options,
        raw: false,
        told: { tracepoint: 'sched:sched_process_exit', fields: ['group_dead'] },
      },
      cannotTell: {},
      misses:
        'ends while another tracing program runs on that CPU; before 6.17 a process may come twice when its last threads end on two CPUs within the same microsecond',
      cost: 'a tracepoint program the end of a thread',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [{ bcc: '>=0.18.0' }, { headers: true }, { function: 'taskstats_exit', by: 'kprobe' }],
      cannotTell: {},
      misses: 'ends while another tracing program runs on that CPU',
      cost: 'a kprobe the end of a thread; a compiler run of seconds at the start',
    },
  ],
})
