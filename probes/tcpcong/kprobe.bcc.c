{{include life.bcc.c}}

// Before 5.19 the function that sets a state is inlined into these. One may call another for the same socket: each has its own map,
// and the first that returns after a change tells it. The idle tasks of all CPUs have the number 0.
static __always_inline u64 self(void)
{
  u64 tid = (u32)bpf_get_current_pid_tgid();
  return tid != 0 ? tid : (u64)(bpf_get_smp_processor_id() + 1) << 32;
}

// What was not seen to begin counts from nowhere.
static __always_inline void entered(u64 key)
{
  u64 was = congestion_state((struct sock *)key);
  struct life *life = lives.lookup(&key);
  if (life != 0 && life->state == was) return;
  struct life unseen = { 0, was, life != 0 ? life->changed : 0 };
  {{kept lives.update(&key, &unseen)}}
}

static __always_inline void left(struct pt_regs *ctx, u64 key)
{
  struct sock *sk = (struct sock *)key;
  u64 new = congestion_state(sk);
  u64 state = {{read sk->__sk_common.skc_state}};
  struct life *life = lives.lookup(&key);
  if (life == 0 || life->state == new || state == TCP_CLOSE) return;
  u64 now = bpf_ktime_get_ns();
  u64 old = life->state;
  u64 lasted = life->ktime != 0 ? now - life->ktime : 0;
  u64 lport = {{port ((struct inet_sock *)sk)->inet_sport}};
  u64 rport = {{port sk->__sk_common.skc_dport}};
{{include change.bcc.c}}
  struct life next = { now, new, 1 };
  {{kept lives.update(&key, &next)}}
}

BPF_HASH(in_fastretrans_alert, u64, u64);

{{kprobe tcp_fastretrans_alert struct sock *sk}}
{
  u64 me = self();
  u64 key = (u64)sk;
  in_fastretrans_alert.update(&me, &key);
  entered(key);
  return 0;
}

{{kretprobe tcp_fastretrans_alert 0}}
{
  u64 me = self();
  u64 *key = in_fastretrans_alert.lookup(&me);
  if (key == 0) return 0;
  u64 sk = *key;
  in_fastretrans_alert.delete(&me);
  left(ctx, sk);
  return 0;
}

BPF_HASH(in_simple_retransmit, u64, u64);

{{kprobe tcp_simple_retransmit struct sock *sk}}
{
  u64 me = self();
  u64 key = (u64)sk;
  in_simple_retransmit.update(&me, &key);
  entered(key);
  return 0;
}

{{kretprobe tcp_simple_retransmit 0}}
{
  u64 me = self();
  u64 *key = in_simple_retransmit.lookup(&me);
  if (key == 0) return 0;
  u64 sk = *key;
  in_simple_retransmit.delete(&me);
  left(ctx, sk);
  return 0;
}

{{when tlp}}
BPF_HASH(in_process_tlp_ack, u64, u64);

{{kprobe tcp_process_tlp_ack struct sock *sk}}
{
  u64 me = self();
  u64 key = (u64)sk;
  in_process_tlp_ack.update(&me, &key);
  entered(key);
  return 0;
}

{{kretprobe tcp_process_tlp_ack 0}}
{
  u64 me = self();
  u64 *key = in_process_tlp_ack.lookup(&me);
  if (key == 0) return 0;
  u64 sk = *key;
  in_process_tlp_ack.delete(&me);
  left(ctx, sk);
  return 0;
}
{{end}}

BPF_HASH(in_enter_cwr, u64, u64);

{{kprobe tcp_enter_cwr struct sock *sk}}
{
  u64 me = self();
  u64 key = (u64)sk;
  in_enter_cwr.update(&me, &key);
  entered(key);
  return 0;
}

{{kretprobe tcp_enter_cwr 0}}
{
  u64 me = self();
  u64 *key = in_enter_cwr.lookup(&me);
  if (key == 0) return 0;
  u64 sk = *key;
  in_enter_cwr.delete(&me);
  left(ctx, sk);
  return 0;
}

BPF_HASH(in_enter_loss, u64, u64);

{{kprobe tcp_enter_loss struct sock *sk}}
{
  u64 me = self();
  u64 key = (u64)sk;
  in_enter_loss.update(&me, &key);
  entered(key);
  return 0;
}

{{kretprobe tcp_enter_loss 0}}
{
  u64 me = self();
  u64 *key = in_enter_loss.lookup(&me);
  if (key == 0) return 0;
  u64 sk = *key;
  in_enter_loss.delete(&me);
  left(ctx, sk);
  return 0;
}
