import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

// Without the CPU: bpftrace 0.11 has no room for it.
const { time, ktime_ns, pid, tid, uid, comm, cgroup, container } = common

const ofPid = 'before 6.11 the tracepoint has the process id alone'
const sizes = {
  total_vm_bytes: 'the function has them in pages and counters that differ between kernels',
  anon_rss_bytes: 'the function has them in pages and counters that differ between kernels',
  file_rss_bytes: 'the function has them in pages and counters that differ between kernels',
  shmem_rss_bytes: 'the function has them in pages and counters that differ between kernels',
} as const

/** The kernel's load averages (kernel/sched/loadavg.c), three numbers in a row. */
const averages = { symbol: 'avenrun' } as const
/** A record of bpftrace before 0.16 has no room for them beside what else these variants tell. */
const roomy = [averages, { bpftrace: '>=0.16.0' }] as const
const load = { kind: 'load', nullable: true, later: true } as const

const pages = { kind: 'u64', unit: 'bytes', measure: true, width: 12 } as const

export default defineProbe({
  name: 'oomkill',
  summary: 'kills for lack of memory: the victim, its memory, and who asked for more',
  example: 'ebpf-run oomkill -o ndjson',
  owner: 'task',
  inTask: true,
  switches: {
    load: {
      doc: "also the machine's load averages at that moment",
      fields: ['load1', 'load5', 'load15'],
      table: ['time', 'pid', 'comm', 'tpid', 'tcomm', 'anon_rss_bytes', 'load1'],
    },
  },
  events: {
    oomkill: {
      doc: 'one process that the kernel chose to kill; the task fields are those of the task that asked for memory',
      fields: {
        time,
        ktime_ns,
        pid,
        tid,
        uid,
        comm,
        cgroup,
        container,
        tpid: { kind: 'u32', doc: "the victim's process id" },
        tuid: { kind: 'u32', doc: "the victim's user id", nullAs: 4_294_967_295 },
        tcomm: {
          kind: 'text',
          bytes: 15,
          emptyIsNull: true,
          doc: "the victim's command name",
        },
        tcgroup: { kind: 'u64', doc: "the victim's cgroup v2 id", nullAs: '0' },
        tcontainer: { ...container, of: 'tcgroup', doc: "the victim's container" },
        limit_cgroup: {
          kind: 'u64',
          nullAs: '0',
          later: true,
          doc: 'id of the cgroup that reached its limit; null when the machine ran out of memory',
        },
        total_pages: {
          kind: 'u64',
          measure: true,
          doc: 'pages that could be used: of the machine, or of the cgroup that reached its limit',
          width: 11,
        },
        total_vm_bytes: { ...pages, doc: "the victim's virtual memory" },
        anon_rss_bytes: { ...pages, doc: 'its anonymous memory', heading: 'ANON' },
        file_rss_bytes: { ...pages, doc: 'its pages of files' },
        shmem_rss_bytes: { ...pages, doc: 'its shared memory' },
        oom_score_adj: {
          kind: 'i32',
          doc: 'what /proc/PID/oom_score_adj said of the victim',
          nullAs: 32_767,
        },
        load1: { ...load, doc: "with `--load` the machine's load average over 1 minute" },
        load5: { ...load, doc: 'with `--load` that over 5 minutes' },
        load15: { ...load, doc: 'with `--load` that over 15 minutes' },
      },
      table: ['time', 'pid', 'comm', 'tpid', 'tcomm', 'anon_rss_bytes'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        {
          tracepoint: 'oom:mark_victim',
          fields: ['pid', 'uid', 'total_vm', 'anon_rss', 'file_rss', 'shmem_rss', 'oom_score_adj'],
        },
      ],
      // bpftrace 0.11 cannot read such a string of a tracepoint, and 0.22 and 0.23 read it as empty.
      options: { full: true, comm: { bpftrace: '>=0.12.0 <0.22.0 || >=0.24.0' } },
      switches: { load: roomy },
      cannotTell: {
        tcgroup: 'the tracepoint does not have it',
        limit_cgroup: 'the tracepoint does not have it',
        total_pages: 'the tracepoint does not have it',
      },
      misses: 'kills while another tracing program runs on that CPU',
      cost: 'a tracepoint program a kill',
    },
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [
        { function: 'oom_kill_process', by: 'kprobe' },
        { btf: 'oom_control.chosen' },
        { btf: 'oom_control.totalpages' },
        { btf: 'oom_control.memcg' },
        { btf: 'mem_cgroup.css.cgroup' },
        { btf: 'task_struct.comm' },
        { btf: 'task_struct.cred' },
        { btf: 'cred.uid.val' },
        { btf: 'css_set.dfl_cgrp' },
        { btf: 'kernfs_node.id' },
      ],
      switches: { load: roomy },
      cannotTell: sizes,
      misses:
        'kills while another tracing program runs on that CPU, and of a cgroup that is killed as a whole (memory.oom.group) all but one process',
      cost: 'a kprobe a kill',
    },
    {
      name: 'pidalone',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [{ tracepoint: 'oom:mark_victim', fields: ['pid'] }],
      options: { full: false, comm: false },
      switches: { load: [averages] },
      cannotTell: {
        tuid: ofPid,
        tcomm: ofPid,
        tcgroup: ofPid,
        limit_cgroup: ofPid,
        total_pages: ofPid,
        total_vm_bytes: ofPid,
        anon_rss_bytes: ofPid,
        file_rss_bytes: ofPid,
        shmem_rss_bytes: ofPid,
        oom_score_adj: ofPid,
      },
      misses: 'kills while another tracing program runs on that CPU',
      cost: 'a tracepoint program a kill',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { function: 'oom_kill_process', by: 'kprobe' },
      ],
      switches: { load: [averages] },
      cannotTell: sizes,
      misses:
        'kills while another tracing program runs on that CPU, and of a cgroup that is killed as a whole (memory.oom.group) all but one process',
      cost: 'a kprobe a kill; a compiler run of seconds at the start',
    },
  ],
})
