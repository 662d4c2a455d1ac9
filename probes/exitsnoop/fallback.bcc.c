#include <linux/sched/signal.h>

// do_exit() calls this for each thread, and says whether it was the last of its process.
{{kprobe taskstats_exit struct task_struct *task, int group_dead}}
{
  u64 dead = (u8)group_dead;
  struct task_struct *parent = {{read task->real_parent}};
  struct task_struct *leader = task;
  u64 kind = 2;
  u64 status = {{read task->exit_code}};
  if (dead != 0) {
    // What wait() will say (wait_task_zombie in kernel/exit.c): the code of the group if it has one, else that of the first thread.
    kind = 1;
    leader = {{read task->group_leader}};
    status = {{read leader->exit_code}};
    struct signal_struct *signals = {{read task->signal}};
    u64 flags = {{read signals->flags}};
    if ((flags & SIGNAL_GROUP_EXIT) != 0) status = {{read signals->group_exit_code}};
  }
  u64 start = {{read leader->start_time}};
  u64 signal = status & 127;
  s64 code = -1;
  if (signal == 0) code = (status >> 8) & 255;
  if (dead != 0 || {{param threads}} == 1)
  {{emit exit
    task
    ppid = {read parent->tgid}
    kind = kind
    exit_code = code
    signal = signal
    core_dumped = (status >> 7) & 1
    duration_ns = bpf_ktime_get_ns() - start
  }}
  return 0;
}
