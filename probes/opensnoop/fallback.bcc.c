struct call {
  u64 start;
  u64 path;
  u64 flags;
  u64 mode;
  u64 how;
  s64 dirfd;
};
BPF_HASH(calls, u32, struct call, {{keys}});

static __always_inline int entered(u64 path, s64 dirfd, u64 flags, u64 mode, u64 how)
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call call = { bpf_ktime_get_ns(), path, flags, mode, how, dirfd };
  {{kept calls.update(&tid, &call)}}
  return 0;
}

// The 64-bit word at an address of the task; 0 where it cannot be read.
static __always_inline u64 word(u64 address)
{
  u64 value = 0;
  bpf_probe_read_user(&value, sizeof(value), (const void *)address);
  return value;
}

{{when full-path}}
{{include directories.bcc.c}}
{{end}}

// The path is read when the call returns: the kernel has read it then, while at the start of the call a page that the caller never
// touched reads as nothing.
static __always_inline int returned(void *ctx, s64 ret)
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call *call = calls.lookup(&tid);
  if (call == 0) return 0;
  u64 path = call->path;
  u64 flags = call->flags;
  u64 mode = call->mode;
  u64 how = call->how;
  if (how != 0) {
    flags = word(how);
    mode = word(how + 8);
  }
  flags = flags & 0xffffffff;
  // O_CREAT, or the own bit of O_TMPFILE.
  s64 creates = -1;
  if ((flags & (0100 | 020000000)) != 0) creates = mode & 0xffff;
  s64 fd = -1;
  s64 result = 0;
  if (ret < 0)
    result = ret;
  else
    fd = ret;
  {{when full-path}}
  // RESOLVE_IN_ROOT: the directory is the root of the path.
  s64 parts = how != 0 && (word(how + 16) & 16) != 0 ? -1 : send_parts(ctx, path, call->dirfd);
  {{end}}
  {{emit open
    task
    filename = user path
    path = parts
    dirfd = call->dirfd
    access = flags & 3
    flags = flags
    mode = creates
    fd = fd
    result = result
    duration_ns = bpf_ktime_get_ns() - call->start
  }}
  calls.delete(&tid);
  return 0;
}

{{tracepoint syscalls:sys_enter_openat}}
{
  return entered((u64)ctx->filename, (s32)ctx->dfd, (u64)ctx->flags, (u64)ctx->mode, 0);
}

{{tracepoint syscalls:sys_exit_openat}}
{
  return returned(ctx, ctx->ret);
}
{{when open}}

{{tracepoint syscalls:sys_enter_open}}
{
  return entered((u64)ctx->filename, -100, (u64)ctx->flags, (u64)ctx->mode, 0);
}

{{tracepoint syscalls:sys_exit_open}}
{
  return returned(ctx, ctx->ret);
}
{{end}}
{{when creat}}

// creat() is open() with O_CREAT, O_WRONLY and O_TRUNC.
{{tracepoint syscalls:sys_enter_creat}}
{
  return entered((u64)ctx->pathname, -100, 01101, (u64)ctx->mode, 0);
}

{{tracepoint syscalls:sys_exit_creat}}
{
  return returned(ctx, ctx->ret);
}
{{end}}
{{when openat2}}

// Its flags and mode lie in the caller's memory (struct open_how).
{{tracepoint syscalls:sys_enter_openat2}}
{
  return entered((u64)ctx->filename, (s32)ctx->dfd, 0, 0, (u64)ctx->how);
}

{{tracepoint syscalls:sys_exit_openat2}}
{
  return returned(ctx, ctx->ret);
}
{{end}}
