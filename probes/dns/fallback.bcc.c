struct call {
  u64 start;
  u64 sp;
  u64 kind;
  u64 host;
  u64 length;
  u64 answer;
};
// By thread.
BPF_HASH(calls, u32, struct call, {{keys}});

// A lookup made by another one lies deeper on the thread's stack, or, where the other jumped to it, at the same place with the same
// argument. One that never returned, since a signal handler jumped out of it, counts for a minute at most.
static __always_inline int called(struct pt_regs *ctx, u64 kind, u64 host, u64 length, u64 answer)
{
  u32 me = bpf_get_current_pid_tgid();
  struct call call = { bpf_ktime_get_ns(), PT_REGS_SP(ctx), kind, host, length, answer };
  struct call *outer = calls.lookup(&me);
  if (outer != 0 && call.start - outer->start < 60000000000ULL) {
    if (call.sp < outer->sp && outer->sp - call.sp < 65536) return 0;
    if (call.sp == outer->sp && host == outer->host && kind != outer->kind) return 0;
  }
  {{kept calls.update(&me, &call)}}
  return 0;
}

// The name is read at the return, when its page is in memory.
static __always_inline int returned(struct pt_regs *ctx, u64 kind, s64 result)
{
  u32 me = bpf_get_current_pid_tgid();
  struct call *known = calls.lookup(&me);
  if (known == 0) return 0;
  struct call call = *known;
  if (call.kind != kind || (u64)PT_REGS_SP(ctx) < call.sp) return 0;
  if (call.answer != 0 && result == 0) {
    u64 found = 0;
    bpf_probe_read_user(&found, sizeof(found), (const void *)call.answer);
    result = found == 0;
  }
  u64 lasted = bpf_ktime_get_ns() - call.start;
  if (call.length == 0) {
    {{emit lookup
      task
      kind = kind
      host = user call.host
      address = null
      result = result
      duration_ns = lasted
    }}
  } else if (call.length == 4) {
    {{emit lookup
      task
      kind = kind
      host = null
      address = user4 call.host
      result = result
      duration_ns = lasted
    }}
  } else if (call.length == 16) {
    {{emit lookup
      task
      kind = kind
      host = null
      address = user6 call.host
      result = result
      duration_ns = lasted
    }}
  } else {
    {{emit lookup
      task
      kind = kind
      host = null
      address = null
      result = result
      duration_ns = lasted
    }}
  }
  calls.delete(&me);
  return 0;
}

// A thread that ends in a lookup leaves its number to another one.
{{tracepoint sched:sched_process_exit}}
{
  u32 me = bpf_get_current_pid_tgid();
  calls.delete(&me);
  return 0;
}

{{uprobe libc getaddrinfo}}
{
  return called(ctx, 1, PT_REGS_PARM1(ctx), 0, 0);
}

{{uretprobe libc getaddrinfo}}
{
  return returned(ctx, 1, (s32)PT_REGS_RC(ctx));
}

{{uprobe libc gethostbyname}}
{
  return called(ctx, 2, PT_REGS_PARM1(ctx), 0, 0);
}

{{uretprobe libc gethostbyname}}
{
  return returned(ctx, 2, PT_REGS_RC(ctx) == 0);
}

{{uprobe libc gethostbyname2}}
{
  return called(ctx, 3, PT_REGS_PARM1(ctx), 0, 0);
}

{{uretprobe libc gethostbyname2}}
{
  return returned(ctx, 3, PT_REGS_RC(ctx) == 0);
}

{{uprobe libc gethostbyname_r}}
{
  return called(ctx, 4, PT_REGS_PARM1(ctx), 0, PT_REGS_PARM5(ctx));
}

{{uretprobe libc gethostbyname_r}}
{
  return returned(ctx, 4, (s32)PT_REGS_RC(ctx));
}

{{uprobe libc gethostbyname2_r}}
{
  return called(ctx, 5, PT_REGS_PARM1(ctx), 0, PT_REGS_PARM6(ctx));
}

{{uretprobe libc gethostbyname2_r}}
{
  return returned(ctx, 5, (s32)PT_REGS_RC(ctx));
}

{{uprobe libc gethostbyaddr}}
{
  return called(ctx, 6, PT_REGS_PARM1(ctx), (u32)PT_REGS_PARM2(ctx) ?: 1, 0);
}

{{uretprobe libc gethostbyaddr}}
{
  return returned(ctx, 6, PT_REGS_RC(ctx) == 0);
}

{{uprobe libc gethostbyaddr_r}}
{
  u64 answer = 0;
  {{when registers}}
  answer = ctx->regs[6];
  {{else}}
  bpf_probe_read_user(&answer, sizeof(answer), (const void *)(PT_REGS_SP(ctx) + 8));
  {{end}}
  return called(ctx, 7, PT_REGS_PARM1(ctx), (u32)PT_REGS_PARM2(ctx) ?: 1, answer);
}

{{uretprobe libc gethostbyaddr_r}}
{
  return returned(ctx, 7, (s32)PT_REGS_RC(ctx));
}
