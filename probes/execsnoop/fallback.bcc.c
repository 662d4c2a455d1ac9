#include <linux/mm_types.h>

struct call {
  u64 argv;
  u64 filename;
};
// A call is kept by its task: a thread that executes takes over the id of its process.
BPF_HASH(calls, u64, struct call, {{keys}});

static __always_inline int called(const void *filename, const void *argv)
{
  u64 key = bpf_get_current_task();
  struct call call = { (u64)argv, (u64)filename };
  {{kept calls.update(&key, &call)}}
  return 0;
}

// The 64-bit word at an address of the task; 0 where it cannot be read.
static __always_inline u64 word(u64 address)
{
  u64 value = 0;
  bpf_probe_read_user(&value, sizeof(value), (const void *)address);
  return value;
}

static __always_inline u8 byte(u64 address)
{
  u8 value = 0;
  bpf_probe_read_user(&value, sizeof(value), (const void *)address);
  return value;
}

// A successful exec is read from its new image: argc and argv stand at the start of the stack (create_elf_tables in
// fs/binfmt_elf.c), the filename behind the environment's end (copy_string_kernel in fs/exec.c). Its pages are there. A failed
// one is read from the caller's memory, where a page that nobody touched yet reads as nothing.
static __always_inline int returned(void *ctx, long ret)
{
  u64 key = bpf_get_current_task();
  struct call *call = calls.lookup(&key);
  if (call == 0) return 0;
  u32 tid = bpf_get_current_pid_tgid();
  struct task_struct *task = (struct task_struct *)key;
  struct task_struct *parent = {{read task->real_parent}};
  u64 argp = call->argv;
  u64 filename = call->filename;
  s64 argc = -1;
  if (ret == 0) {
    struct mm_struct *mm = {{read task->mm}};
    u64 stack = {{read mm->start_stack}};
    argc = word(stack);
    argp = stack + 8;
    filename = {{read mm->env_end}};
  }
  int i;
  int more = 1;
  for (i = 0; i < 60; i++) {
    u64 arg = word(argp + i * 8);
    if (arg == 0 || (ret == 0 && i >= argc)) {
      more = 0;
      break;
    }
    // A page that nobody touched reads as nothing: an argument whose first eight bytes are all zero was not there. Where not even eight
    // can be read, a page ends.
    int index = ret != 0 && word(arg) == 0 && byte(arg) == 0 ? -1 - i : i;
    {{part exec.argv tid index user arg}}
  }
  s64 parts = i;
  if (ret != 0) {
    if (more == 1 && word(argp + i * 8) == 0) more = 0;
    // The caller's array ends in a null pointer: only where we saw it do we know argc.
    if (more == 0) argc = i;
    // An array whose first pointer cannot be read looks empty.
    if (i == 0) {
      argc = -1;
      parts = -1;
    }
  }
  {{emit exec
    task
    ppid = {read parent->tgid}
    filename = user filename
    argc = argc
    argv = parts
    ret = ret
  }}
  calls.delete(&key);
  return 0;
}

{{tracepoint syscalls:sys_enter_execve}}
{
  return called(ctx->filename, ctx->argv);
}

{{tracepoint syscalls:sys_enter_execveat}}
{
  return called(ctx->filename, ctx->argv);
}

{{tracepoint syscalls:sys_exit_execve}}
{
  return returned(ctx, ctx->ret);
}

{{tracepoint syscalls:sys_exit_execveat}}
{
  return returned(ctx, ctx->ret);
}
