import type { Need } from '../schema/define.ts'
import type { AnyFilter, TaskFilter, TaskNumber } from './filters.ts'
import type { StructTable } from './structs.ts'

/*
 * Numbers of a task: those of the current one that filters ask for and no event carries, and those that a template asks of another
 * one (`{{task NUMBER VARIABLE POINTER}}`). What /proc/PID/ns/* shows is read from the same places
 * (fs/nsfs.c, fs/namespace.c, kernel/pid_namespace.c): the pid namespace is the one that the task is in, which is another one than
 * that of its children after unshare().
 */

/** One step from a pointer to the next: a member, or the pid namespace at the pid's own level. */
type Step = string | { readonly level: string; readonly numbers: string; readonly ns: string }

const pidNamespace: Step = { level: 'pid.level', numbers: 'pid.numbers', ns: 'upid.ns' }

/** A `struct upid` is a number and a pointer. */
const upidBytes = 16

const steps: Readonly<Record<TaskNumber, readonly Step[]>> = {
  ppid: ['task_struct.real_parent', 'task_struct.tgid'],
  mntns: ['task_struct.nsproxy', 'nsproxy.mnt_ns', 'mnt_namespace.ns.inum'],
  pidns: ['task_struct.thread_pid', pidNamespace, 'pid_namespace.ns.inum'],
  netns: ['task_struct.nsproxy', 'nsproxy.net_ns', 'net.ns.inum'],
}

/** The same by the kernel's headers. They lack `struct mnt_namespace` (fs/mount.h), which began with a count before 5.11. */
const functionsInC: Readonly<Record<TaskNumber, { includes: string; body: string }>> = {
  ppid: {
    includes: '',
    body: `  struct task_struct *parent = ER_READ(task->real_parent);
  return ER_READ(parent->tgid);`,
  },
  mntns: {
    includes: `#include <linux/ns_common.h>
#include <linux/nsproxy.h>
#include <linux/version.h>

struct er_mnt_namespace {
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
  atomic_t count;
#endif
  struct ns_common ns;
};
`,
    body: `  struct nsproxy *proxy = ER_READ(task->nsproxy);
  if (proxy == 0) return 0;
  struct er_mnt_namespace *ns = (struct er_mnt_namespace *)ER_READ(proxy->mnt_ns);
  return ER_READ(ns->ns.inum);`,
  },
  pidns: {
    includes: '#include <linux/pid.h>\n#include <linux/pid_namespace.h>\n',
    body: `  struct pid *pid = ER_READ(task->thread_pid);
  if (pid == 0) return 0;
  u32 level = ER_READ(pid->level);
  struct pid_namespace *ns = ER_READ(pid->numbers[level].ns);
  return ER_READ(ns->ns.inum);`,
  },
  netns: {
    includes: '#include <linux/nsproxy.h>\n#include <net/net_namespace.h>\n',
    body: `  struct nsproxy *proxy = ER_READ(task->nsproxy);
  if (proxy == 0) return 0;
  struct net *net = ER_READ(proxy->net_ns);
  return ER_READ(net->ns.inum);`,
  },
}

export function taskFilters(filters: readonly AnyFilter[]): readonly TaskFilter[] {
  return filters.filter((filter) => filter.by === 'task')
}

/** What a program needs for these filters. */
export function taskNeeds(filters: readonly AnyFilter[], backend: string): readonly Need[] {
  const asked = taskFilters(filters)
  if (asked.length === 0) return []
  return backend === 'bcc' ? [{ headers: true }] : membersAsked(filters).map((btf) => ({ btf }))
}

/** Members of structs that programs for these filters read. */
export function membersAsked(filters: readonly AnyFilter[]): readonly string[] {
  return taskFilters(filters).flatMap(({ field }) => membersOfTask(field))
}

/** Members of structs on the way from a task to one of its numbers. */
export function membersOfTask(number: TaskNumber): readonly string[] {
  return steps[number].flatMap((step) =>
    typeof step === 'string' ? [step] : [step.level, step.numbers, step.ns],
  )
}

export function isTaskNumber(name: string): name is TaskNumber {
  return Object.hasOwn(steps, name)
}

/** bpftrace: statements that read the number of the task at an address, and the variable that then holds it. */
export function readTaskNumber(
  structs: StructTable,
  field: TaskNumber,
  task = '(uint64)curtask',
): { before: string; text: string } {
  const variable = `$er_${field}`
  const lines = steps[field].flatMap((step) => {
    if (typeof step === 'string') return [`${variable} = (uint64)${structs.read(step, variable)};`]
    const at = structs.offset(step.numbers) + structs.offset(step.ns)
    const level = structs.read(step.level, variable)
    return [
      `$er_level = ${level};`,
      `${variable} = (uint64)${structs.word(`${variable} + ${at} + $er_level * ${upidBytes}`)};`,
    ]
  })
  return {
    before: [`${variable} = ${task};`, ...lines].map((line) => `${line}\n  `).join(''),
    text: variable,
  }
}

/** C: the call that reads the number, and the function behind it. */
export function taskNumberInC(
  field: TaskNumber,
  task = '(struct task_struct *)bpf_get_current_task()',
): { call: string; definition: string } {
  const { includes, body } = functionsInC[field]
  return {
    call: `er_task_${field}(${task})`,
    definition: `${includes}
static __always_inline u64 er_task_${field}(struct task_struct *task)
{
${body}
}`,
  }
}
