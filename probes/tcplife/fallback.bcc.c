#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp_states.h>

struct birth {
  u64 start;
  u64 direction;
};
BPF_HASH(births, u64, struct birth, {{keys}});

{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx->skaddr;
  struct tcp_sock *tp = (struct tcp_sock *)ctx->skaddr;
  u64 key = (u64)ctx->skaddr;
  u64 old = ctx->oldstate;
  u64 new = ctx->newstate;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  if (new != TCP_CLOSE) {
    // A socket's memory is used again: what an earlier connection left there counts for nothing.
    if (new == TCP_SYN_SENT || old == TCP_LISTEN) {
      {{forget key}}
      births.delete(&key);
    }
    // connect() enters SYN_SENT in the task that will own the connection.
    if (new == TCP_SYN_SENT) {
      {{open key rport}}
      struct birth asked = { 0, 1 };
      {{kept births.update(&key, &asked)}}
    }
    // What leaves SYN_SENT has a local end.
    if (old == TCP_SYN_SENT) {{settle key rport}}
    // The handshake is complete. With TCP Fast Open a connection may go from SYN_RECV to FIN_WAIT1.
    if ((old == TCP_SYN_SENT || old == TCP_SYN_RECV) && (new == TCP_ESTABLISHED || new == TCP_FIN_WAIT1)) {
      struct birth stands = { now, old - 1 };
      struct birth *asked = births.lookup(&key);
      if (asked != 0) stands.direction = asked->direction;
      {{kept births.update(&key, &stands)}}
    }
    return 0;
  }
  if (old == TCP_CLOSE) return 0;
  // What was never established is no connection, and neither is a socket that listens.
  if (old == TCP_ESTABLISHED || (old >= TCP_FIN_WAIT1 && old <= TCP_TIME_WAIT) || old == TCP_CLOSE_WAIT || old == TCP_LAST_ACK || old == TCP_CLOSING) {
    u64 direction = 0;
    u64 lasted = 0;
    struct birth *birth = births.lookup(&key);
    if (birth != 0) {
      direction = birth->direction;
      if (birth->start != 0) lasted = now - birth->start;
    }
    // The inode tells later which process holds the socket. Nobody does before accept() and after close().
    u64 inode = 0;
    struct socket *held = {{read sk->sk_socket}};
    if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
    {{owner who key rport}}
    struct net *net = {{read sk->__sk_common.skc_net.net}};
    u64 error = {{read sk->sk_err}};
    u64 flags = {{read sk->__sk_common.skc_flags}};
    u64 sent = {{read tp->bytes_acked}};
    u64 received = {{read tp->bytes_received}};
    u64 retransmits = {{read tp->total_retrans}};
    u64 eighths = {{read tp->srtt_us}};
    // This side's FIN was acknowledged when nothing waits for an acknowledgement in a state that sends one.
    u32 unacked = {{read tp->write_seq}} - {{read tp->snd_una}};
    u64 finished = 0;
    if (unacked == 0 && old != TCP_ESTABLISHED && old != TCP_CLOSE_WAIT) finished = 1;
    // Without an error it is an end by FIN, or this side gave up. In FIN_WAIT2 the other side's FIN was seen (flag 2, SOCK_DONE),
    // or there is nobody left to wait for it (flag 1, SOCK_DEAD).
    u64 outcome = 5;
    if (finished == 1 && (old != TCP_FIN_WAIT2 || (flags & 3) != 0)) outcome = 1;
    if (error == 103) outcome = 5;
    if (error == 104 || error == 32) outcome = 2;
    if (error == 110) outcome = 3;
    if (error == 113 || error == 101 || error == 112 || error == 111) outcome = 4;
    // The kernel counts a FIN as a byte in both directions, and the SYN of the side that connects.
    sent -= finished;
    received -= (flags >> 1) & 1;
    if (direction == 1) sent -= 1;
    // Which side connected is not known of an older connection; more acknowledged than was handed over must be the SYN.
    u64 handed = {{read tp->bytes_sent}} - {{read tp->bytes_retrans}};
    if (direction == 0 && sent > handed) sent -= 1;
    {{emit connection
      ktime_ns = now
      cpu = bpf_get_smp_processor_id()
      owner who
      inode = inode
      direction = direction
      netns = {read net->ns.inum}
      laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
      lport = lport
      raddr = in6 &sk->__sk_common.skc_v6_daddr
      rport = rport
      state = old
      outcome = outcome
      duration_ns = lasted
      sent = sent
      received = received
      retransmits = retransmits
      srtt_us = (eighths == 0 ? 4294967295U : eighths >> 3)
    }}
  }
  {{forget key}}
  births.delete(&key);
  return 0;
}
{{include ../accepters.bcc.c}}
