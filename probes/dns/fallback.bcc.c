struct call {
  u64 start;
  u64 host;
};
BPF_HASH(calls, u64, struct call, {{keys}});

// The thread's call to one of the functions. One that never returned is overwritten by the thread's next one.
static __always_inline u64 key_of(u64 kind)
{
  return kind << 32 | (u32)bpf_get_current_pid_tgid();
}

static __always_inline int called(u64 kind, u64 host)
{
  u64 key = key_of(kind);
  struct call call = { bpf_ktime_get_ns(), host };
  {{kept calls.update(&key, &call)}}
  return 0;
}

// The name is read at the return, when its page is in memory.
static __always_inline int returned(struct pt_regs *ctx, u64 kind, s64 result)
{
  u64 key = key_of(kind);
  struct call *call = calls.lookup(&key);
  if (call == 0) return 0;
  u64 start = call->start;
  u64 host = call->host;
  {{emit lookup
    task
    kind = kind
    host = user host
    result = result
    duration_ns = bpf_ktime_get_ns() - start
  }}
  calls.delete(&key);
  return 0;
}

{{uprobe libc getaddrinfo}}
{
  return called(1, PT_REGS_PARM1(ctx));
}

{{uretprobe libc getaddrinfo}}
{
  return returned(ctx, 1, (s32)PT_REGS_RC(ctx));
}

// The others return a pointer, or none.
{{uprobe libc gethostbyname}}
{
  return called(2, PT_REGS_PARM1(ctx));
}

{{uretprobe libc gethostbyname}}
{
  return returned(ctx, 2, PT_REGS_RC(ctx) == 0);
}

{{uprobe libc gethostbyname2}}
{
  return called(3, PT_REGS_PARM1(ctx));
}

{{uretprobe libc gethostbyname2}}
{
  return returned(ctx, 3, PT_REGS_RC(ctx) == 0);
}
