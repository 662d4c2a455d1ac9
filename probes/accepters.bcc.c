{{when accept}}

// accept() hands a connection to the task that will own it. One that has ended in the queue is forgotten already. It sleeps, so each
// waiting call takes an instance.
{{kretprobe inet_csk_accept 4096}}
{
  struct sock *child = (struct sock *)PT_REGS_RC(ctx);
  if (child == 0) return 0;
  u64 state = {{read child->__sk_common.skc_state}};
  if (state == TCP_CLOSE) return 0;
  {{learn (u64)child {port child->__sk_common.skc_dport}}}
  return 0;
}
{{end}}
{{include senders.bcc.c}}
