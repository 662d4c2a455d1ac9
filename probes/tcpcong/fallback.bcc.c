{{include life.bcc.c}}

// The kernel tells a state before it is entered, and now and then one that is there already.
{{tracepoint tcp:tcp_cong_state_set}}
{
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx->skaddr;
  u64 key = (u64)ctx->skaddr;
  u64 new = ctx->cong_state;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  u64 old = congestion_state(sk);
  u64 state = {{read sk->__sk_common.skc_state}};
  if (old == new || state == TCP_CLOSE) return 0;
  u64 lasted = 0;
  struct life *life = lives.lookup(&key);
  if (life != 0 && life->state == old) lasted = now - life->ktime;
{{include change.bcc.c}}
  struct life next = { now, new, 1 };
  {{kept lives.update(&key, &next)}}
  return 0;
}
