#include <linux/signal.h>

struct call {
  u64 kind;
  u64 signal;
  s64 tpid;
  s64 ttid;
};
BPF_HASH(calls, u32, struct call, {{keys}});

// No target: kill() refuses it.
#define NONE (-2147483648LL)

static __always_inline int called(u64 kind, u64 signal, s64 tpid, s64 ttid)
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call call = { kind, signal & 0xffffffff, tpid, ttid };
  {{kept calls.update(&tid, &call)}}
  return 0;
}

static __always_inline int returned(void *ctx, s64 ret)
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call *call = calls.lookup(&tid);
  if (call == 0) return 0;
  {{emit kill
    task
    kind = call->kind
    signal = call->signal
    tpid = call->tpid
    ttid = call->ttid
    result = ret
  }}
  calls.delete(&tid);
  return 0;
}

{{tracepoint syscalls:sys_enter_kill}}
{
  return called(1, ctx->sig, (s32)ctx->pid, NONE);
}

{{tracepoint syscalls:sys_enter_tkill}}
{
  return called(2, ctx->sig, NONE, (s32)ctx->pid);
}

{{tracepoint syscalls:sys_enter_tgkill}}
{
  return called(3, ctx->sig, (s32)ctx->tgid, (s32)ctx->pid);
}

{{tracepoint syscalls:sys_enter_rt_sigqueueinfo}}
{
  return called(4, ctx->sig, (s32)ctx->pid, NONE);
}

{{tracepoint syscalls:sys_enter_rt_tgsigqueueinfo}}
{
  return called(5, ctx->sig, (s32)ctx->tgid, (s32)ctx->pid);
}

{{tracepoint syscalls:sys_exit_kill}}
{
  return returned(ctx, ctx->ret);
}

{{tracepoint syscalls:sys_exit_tkill}}
{
  return returned(ctx, ctx->ret);
}

{{tracepoint syscalls:sys_exit_tgkill}}
{
  return returned(ctx, ctx->ret);
}

{{tracepoint syscalls:sys_exit_rt_sigqueueinfo}}
{
  return returned(ctx, ctx->ret);
}

{{tracepoint syscalls:sys_exit_rt_tgsigqueueinfo}}
{
  return returned(ctx, ctx->ret);
}
{{when pidfd}}

{{tracepoint syscalls:sys_enter_pidfd_send_signal}}
{
  return called(6, ctx->sig, NONE, NONE);
}

{{tracepoint syscalls:sys_exit_pidfd_send_signal}}
{
  return returned(ctx, ctx->ret);
}
{{end}}
