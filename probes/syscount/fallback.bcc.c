struct call {
  u64 number;
  u64 since;
};
BPF_HASH(calls, u32, struct call, {{keys}});

// Not by raw tracepoints: from 7.0 on their programs are preempted, and the calls of whoever runs meanwhile are skipped.

// Without the calls of bcc itself: each event that it prints is one, and would make the next.
// The number is taken here: at the return it is another one after execveat(), and none after rt_sigreturn().
{{tracepoint raw_syscalls:sys_enter}}
{
  u64 both = bpf_get_current_pid_tgid();
  if (both >> 32 == {{child}}) return 0;
  u32 tid = both;
  u64 number = (u32)ctx->id;
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  u64 status = {{read task->thread_info.status}};
  // A 32-bit program's call, which has a number of its own.
  if ((status & TS_COMPAT) != 0 && number < 65536) number += 65536;
  // exit, exit_group, and both of 32-bit programs: they do not return. Numbers stand for null, so that filters can look at them.
  if (number == 60 || number == 231 || number == 65537 || number == 65788) {
    {{emit call
      task
      syscall = number
      result = -2147483648LL
      duration_ns = 9007199254740991ULL
    }}
  } else {
    struct call call = { number, bpf_ktime_get_ns() };
    {{kept calls.update(&tid, &call)}}
  }
  return 0;
}
{{when renumbers}}

// A thread that executes another program takes the number of its process.
{{tracepoint sched:sched_process_exec}}
{
  u32 old = ctx->old_pid;
  u32 new = ctx->pid;
  if (old == new) return 0;
  struct call *call = calls.lookup(&old);
  if (call == 0) return 0;
  struct call moved = { call->number, call->since };
  {{kept calls.update(&new, &moved)}}
  calls.delete(&old);
  return 0;
}
{{end}}

{{tracepoint raw_syscalls:sys_exit}}
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call *call = calls.lookup(&tid);
  if (call == 0) return 0;
  s64 returned = ctx->ret;
  s64 result = 0;
  if (returned < 0 && returned > -4096) result = returned;
  {{emit call
    task
    syscall = call->number
    result = result
    duration_ns = bpf_ktime_get_ns() - call->since
  }}
  calls.delete(&tid);
  return 0;
}
