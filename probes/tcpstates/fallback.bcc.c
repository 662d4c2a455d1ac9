#include <net/sock.h>
#include <net/tcp_states.h>

struct since {
  u64 ktime;
  u64 state;
};
BPF_HASH(sinces, u64, struct since, {{keys}});

// Who opens a socket is learned where the task itself does it: connect() enters SYN_SENT, listen() enters LISTEN.
// The rest happens in any context, and the current task says nothing about the socket.
{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx->skaddr;
  u64 key = (u64)ctx->skaddr;
  // 64 bits wide: with int, the compiler in Debian 11's bcc 0.18 (LLVM 11) ended with SIGSEGV.
  u64 old = ctx->oldstate;
  u64 new = ctx->newstate;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  // A socket's memory is used again: what an earlier connection left there counts for nothing.
  u64 from = 2;
  if (old == TCP_LISTEN && new == TCP_SYN_RECV) {{forget key}}
  if (old == TCP_CLOSE) {
    {{forget key}}
    if (new == TCP_SYN_SENT || new == TCP_LISTEN) {
      {{open key rport}}
      from = 1;
    }
  }
  // What leaves SYN_SENT has a local end.
  if (old == TCP_SYN_SENT && new != TCP_CLOSE) {{settle key rport}}
  // The inode tells later which process holds the socket. Nobody does before accept() and after close().
  struct socket *held = {{read sk->sk_socket}};
  u64 inode = 0;
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who key rport}}
  u64 lasted = 0;
  struct since *since = sinces.lookup(&key);
  if (since != 0 && since->state == old) lasted = now - since->ktime;
  {{emit state
    ktime_ns = now
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    owner_from = (who != 0 ? from : 0)
    netns = {read net->ns.inum}
    laddr = bound sk
    lport = lport
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    skaddr = key
    old_state = old
    new_state = new
    duration_ns = lasted
  }}
  if (new == TCP_CLOSE) {
    sinces.delete(&key);
    {{forget key}}
  } else {
    struct since next = { now, new };
    {{kept sinces.update(&key, &next)}}
  }
  return 0;
}
{{include ../accepters.bcc.c}}
