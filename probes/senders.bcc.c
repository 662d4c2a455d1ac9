{{when sendkprobe}}

// Who sends on a connection owns it from then on: it may be older than this run, or was handed on. The socket is locked here, so nobody
// else sends on it meanwhile, and nothing that arrives for it is handled.
{{kprobe tcp_sendmsg_locked struct sock *sk}}
{
  u64 key = (u64)sk;
  u32 me = bpf_get_current_pid_tgid() >> 32;
  struct er_owner *known = er_owners.lookup(&key);
  if (known != 0 && known->pid == me) return 0;
  // Both ends are known in these two states. Kernel threads send for others.
  u64 state = {{read sk->__sk_common.skc_state}};
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  u64 flags = {{read task->flags}};
  if ((flags & PF_KTHREAD) == 0 && (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT)) {{learn key {port sk->__sk_common.skc_dport}}}
  return 0;
}
{{end}}
