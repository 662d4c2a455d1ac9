#include <linux/cgroup-defs.h>
#include <linux/cred.h>
#include <linux/kernfs.h>
#include <linux/version.h>

// When a thread began to wait for a CPU.
BPF_HASH(queued, u32, u64, {{keys}});

static __always_inline int woken(struct task_struct *task)
{
  u32 tid = {{read task->pid}};
  u64 now = bpf_ktime_get_ns();
  {{kept queued.update(&tid, &now)}}
  return 0;
}

{{rawtracepoint sched_wakeup}}
{
  return woken((struct task_struct *)ctx->args[0]);
}

{{rawtracepoint sched_wakeup_new}}
{
  return woken((struct task_struct *)ctx->args[0]);
}

// Runs as the thread that leaves the CPU.
{{rawtracepoint sched_switch}}
{
  u64 preempted = ctx->args[0] & 255;
  struct task_struct *previous = (struct task_struct *)ctx->args[1];
  struct task_struct *next = (struct task_struct *)ctx->args[2];
  u32 left = {{read previous->pid}};
  u32 tid = {{read next->pid}};
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 14, 0)
  u64 state = {{read previous->state}};
#else
  u64 state = {{read previous->__state}};
#endif
  u64 now = bpf_ktime_get_ns();
  u64 *since = queued.lookup(&tid);
  if (tid != 0 && since != 0 && now >= *since) {
    const struct cred *cred = {{read next->cred}};
    struct css_set *set = {{read next->cgroups}};
    struct cgroup *group = {{read set->dfl_cgrp}};
    struct kernfs_node *node = {{read group->kn}};
    {{when pidnss}}
    {{task pidns space next}}
    {{end}}
    {{emit wait
      ktime_ns = now
      pid = {read next->tgid}
      tid = tid
      cpu = bpf_get_smp_processor_id()
      uid = {read cred->uid.val}
      comm = kernel next->comm
      cgroup = {read node->id}
      pidns = space
      duration_ns = now - *since
    }}
  }
  if (since != 0) queued.delete(&tid);
  if (left == 0) return 0;
  // The CPU is taken away, also while it is about to sleep.
  if (state == 0 || preempted != 0) {
    {{kept queued.update(&left, &now)}}
  } else {
    // A wake-up of a thread that had not left yet.
    queued.delete(&left);
  }
  return 0;
}
