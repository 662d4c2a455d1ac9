#include <net/sock.h>
#include <net/inet_sock.h>
#include <net/tcp_states.h>

{{include ../owners.bcc.c}}
{{when tlp}}

// Between entry and return of this function, what is sent again is a tail loss probe.
BPF_PERCPU_ARRAY(probing, u32, 1);

{{kprobe tcp_send_loss_probe}}
{
  int zero = 0;
  u32 yes = 1;
  probing.update(&zero, &yes);
  return 0;
}

{{kretprobe tcp_send_loss_probe 64}}
{
  int zero = 0;
  u32 no = 0;
  probing.update(&zero, &no);
  return 0;
}
{{end}}

{{tracepoint tcp:tcp_retransmit_skb}}
{
  struct sock *sk = (struct sock *)ctx->skaddr;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  {{when err}}
  int result = ctx->err;
  {{else}}
  int result = 0;
  {{end}}
  // The transmit half returns 0, -errno, or a small positive number for congestion of the queue below.
  if (result > 0) result = 0;
  // A tail loss probe is of a connection that stands: in SYN_SENT there is none.
  u32 kind = {{read sk->__sk_common.skc_state}} == 2 ? 1 : 0;
  {{when tlp}}
  int zero = 0;
  u32 *probe = probing.lookup(&zero);
  kind = probe != 0 && *probe == 1 ? 2 : 1;
  {{end}}
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  // The inode tells later which process holds the socket. Nobody does before accept() and after close().
  struct socket *held = {{read sk->sk_socket}};
  u64 inode = 0;
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who (u64)sk rport}}
  {{emit retransmit
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = lport
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    state = {read sk->__sk_common.skc_state}
    kind = kind
    result = result
  }}
  return 0;
}

// A SYN-ACK belongs to a request, not yet to a socket of anybody; the kernel counts it as retransmitted all the same.
{{tracepoint tcp:tcp_retransmit_synack}}
{
  struct sock *sk = (struct sock *)ctx->skaddr;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  {{emit retransmit
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner nobody
    inode = null
    netns = {read net->ns.inum}
    laddr = raw ctx->saddr_v6
    lport = ctx->sport
    raddr = raw ctx->daddr_v6
    rport = ctx->dport
    state = TCP_NEW_SYN_RECV
    kind = 3
    result = 0
  }}
  return 0;
}
