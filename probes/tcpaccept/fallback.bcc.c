#include <net/sock.h>
#include <net/tcp_states.h>
#include <linux/in.h>

BPF_HASH(listeners, u32, u64, {{keys}});

// The first argument is the socket that listens, on every kernel; the others have changed.
{{kprobe inet_csk_accept struct sock *listener}}
{
  u32 tid = bpf_get_current_pid_tgid();
  u64 listens = (u64)listener;
  {{kept listeners.update(&tid, &listens)}}
  return 0;
}

// It sleeps, so each waiting call takes an instance.
{{kretprobe inet_csk_accept 4096}}
{
  u32 tid = bpf_get_current_pid_tgid();
  u64 *kept = listeners.lookup(&tid);
  struct sock *listener = 0;
  if (kept != 0) listener = (struct sock *)*kept;
  listeners.delete(&tid);
  struct sock *sk = (struct sock *)PT_REGS_RC(ctx);
  if (sk == 0) return 0;
  // Sockets of other protocols come this way too; 262 is MPTCP.
  u64 protocol = {{read sk->sk_protocol}};
  if (protocol != IPPROTO_TCP && protocol != 262) return 0;
  u64 lport = {{read sk->__sk_common.skc_num}};
  // The queue is that of the socket that listens; an MPTCP socket keeps none itself.
  u64 waiting = 0xffffffff;
  u64 room = 0xffffffff;
  if (listener != 0) {
    u64 state = {{read listener->__sk_common.skc_state}};
    u64 port = {{read listener->__sk_common.skc_num}};
    u64 listens = {{read listener->sk_protocol}};
    if (state == TCP_LISTEN && port == lport && listens == IPPROTO_TCP) {
      waiting = {{read listener->sk_ack_backlog}};
      room = {{read listener->sk_max_ack_backlog}};
    }
  }
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  {{emit accept
    task
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = lport
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = {port sk->__sk_common.skc_dport}
    backlog = waiting
    backlog_max = room
    result = 0
  }}
  return 0;
}
