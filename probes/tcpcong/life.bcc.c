#include <net/sock.h>
#include <net/inet_connection_sock.h>
#include <net/tcp_states.h>

// Since when a connection is in a state, and whether it ever left Open.
struct life {
  u64 ktime;
  u64 state;
  u64 changed;
};
BPF_HASH(lives, u64, struct life, {{keys}});

// A bit-field has no address: the compiler takes it out of a copy, which is too large for the stack.
BPF_PERCPU_ARRAY(copies, struct inet_connection_sock, 1);

static __always_inline u64 congestion_state(struct sock *sk)
{
  int zero = 0;
  struct inet_connection_sock *copy = copies.lookup(&zero);
  if (copy == 0) return 0;
  bpf_probe_read_kernel(copy, sizeof(*copy), sk);
  return copy->icsk_ca_state;
}

// A connection begins in Open, with its SYN or where a listening socket makes it. Who connects is its owner.
{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx->skaddr;
  u64 key = (u64)ctx->skaddr;
  u64 next = ctx->newstate;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  if (next == TCP_SYN_SENT || next == TCP_SYN_RECV) {
    struct life fresh = { now, 0, 0 };
    {{kept lives.update(&key, &fresh)}}
  }
  u64 last = ctx->oldstate;
  if (next == TCP_SYN_SENT) {{open key rport}}
  // What leaves SYN_SENT has a local end. From LISTEN goes a new socket, in memory that an earlier one may have had.
  if (last == TCP_SYN_SENT) {{settle key rport}}
  if (last == TCP_LISTEN) {{forget key}}
  if (next != TCP_CLOSE) return 0;
  // The end of a connection that knew more than Open is told: how long its last state lasted.
  struct life *life = lives.lookup(&key);
  if (life != 0 && life->changed == 1) {
    u64 old = congestion_state(sk);
    // No state of the kernel's: the connection is over.
    u64 new = 255;
    u64 lasted = life->state == old ? now - life->ktime : 0;
{{include change.bcc.c}}
  }
  lives.delete(&key);
  {{forget key}}
  return 0;
}
{{include ../accepters.bcc.c}}
