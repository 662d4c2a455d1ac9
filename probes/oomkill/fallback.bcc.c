#include <linux/cgroup-defs.h>
#include <linux/cred.h>
#include <linux/kernfs.h>
#include <linux/memcontrol.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>

{{kprobe oom_kill_process struct oom_control *control}}
{
  struct task_struct *victim = {{read control->chosen}};
  const struct cred *cred = {{read victim->cred}};
  struct signal_struct *signals = {{read victim->signal}};
  struct css_set *set = {{read victim->cgroups}};
  struct cgroup *group = {{read set->dfl_cgrp}};
  struct kernfs_node *node = {{read group->kn}};
  // Of the machine's own lack of memory there is none.
  u64 reached = 0;
  struct mem_cgroup *memory = {{read control->memcg}};
  if (memory != 0) {
    struct cgroup *limits = {{read memory->css.cgroup}};
    struct kernfs_node *limit = {{read limits->kn}};
    reached = {{read limit->id}};
  }
  {{when load}}
  unsigned long *averages = (unsigned long *){{symbol avenrun}};
  {{end}}
  {{emit oomkill
    task
    tpid = {read victim->tgid}
    tuid = {read cred->uid.val}
    tcomm = kernel &victim->comm
    tcgroup = {read node->id}
    limit_cgroup = reached
    total_pages = {read control->totalpages}
    oom_score_adj = {read signals->oom_score_adj}
    load1 = {read averages[0]}
    load5 = {read averages[1]}
    load15 = {read averages[2]}
  }}
  return 0;
}
