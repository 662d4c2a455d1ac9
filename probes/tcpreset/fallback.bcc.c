#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/sock.h>
#include <net/tcp_states.h>
{{when reason}}
#include <net/rstreason.h>
{{end}}

{{include ../owners.bcc.c}}

static __always_inline int sent(void *ctx, struct sock *sk, struct sk_buff *skb, u64 reason)
{
  u64 state = 0;
  u64 peer = 0;
  u64 lport = 0;
  u64 rport = 0;
  struct net *net = 0;
  u32 local[4] = {};
  u32 remote[4] = {};
  if (sk != 0) {
    state = {{read sk->__sk_common.skc_state}};
    peer = {{port sk->__sk_common.skc_dport}};
    net = {{read sk->__sk_common.skc_net.net}};
  }
  // What stands in for a socket in TIME_WAIT or before ESTABLISHED is smaller than one, and nobody's.
  u64 inode = 0;
  if (sk != 0 && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV) {
    struct socket *held = {{read sk->sk_socket}};
    if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  }
  {{owner who (u64)sk peer}}
  if (skb != 0) {
    // The packet that is answered has the addresses the other way round.
    unsigned char *head = {{read skb->head}};
    u64 network = {{read skb->network_header}};
    u64 transport = {{read skb->transport_header}};
    struct iphdr *ip = (struct iphdr *)(head + network);
    struct ipv6hdr *ip6 = (struct ipv6hdr *)ip;
    struct tcphdr *tcp = (struct tcphdr *)(head + transport);
    {{when reason}}
    {{else}}
    // A reset is not answered by one.
    u8 flags = 0;
    bpf_probe_read_kernel(&flags, 1, (u8 *)tcp + 13);
    if ((flags & 4) != 0) return 0;
    {{end}}
    if (sk == 0) {
      struct net_device *dev = {{read skb->dev}};
      net = {{read dev->nd_net.net}};
    }
    lport = {{port tcp->dest}};
    rport = {{port tcp->source}};
    u8 version = 0;
    bpf_probe_read_kernel(&version, 1, ip);
    if (version >> 4 == 4) {
      local[2] = remote[2] = bpf_htonl(0xffff);
      local[3] = {{read ip->daddr}};
      remote[3] = {{read ip->saddr}};
    } else {
      bpf_probe_read_kernel(local, 16, &ip6->daddr);
      bpf_probe_read_kernel(remote, 16, &ip6->saddr);
    }
  } else if (sk != 0) {
    struct inet_sock *inet = (struct inet_sock *)sk;
    lport = {{port inet->inet_sport}};
    rport = peer;
    bpf_probe_read_kernel(local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
    bpf_probe_read_kernel(remote, 16, &sk->__sk_common.skc_v6_daddr);
  } else {
    return 0;
  }
  {{emit reset
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    direction = 1
    netns = {read net->ns.inum}
    laddr = raw local
    lport = lport
    raddr = raw remote
    rport = rport
    state = state
    reason = reason
  }}
  return 0;
}
{{when reason}}

// From 6.10 on it also tells of resets without a socket.
{{tracepoint tcp:tcp_send_reset}}
{
  return sent(ctx, (struct sock *)ctx->skaddr, (struct sk_buff *)ctx->skbaddr, ctx->reason);
}
{{else}}

// An answer to a packet, with a socket or without one.
{{kprobe tcp_v4_send_reset struct sock *sk, struct sk_buff *skb}}
{
  return sent(ctx, sk, skb, 0xffffffff);
}

{{kprobe tcp_v6_send_reset struct sock *sk, struct sk_buff *skb}}
{
  return sent(ctx, sk, skb, 0xffffffff);
}

// A socket that gives its connection up.
{{kprobe tcp_send_active_reset struct sock *sk}}
{
  return sent(ctx, sk, 0, 0xffffffff);
}
{{end}}

{{tracepoint tcp:tcp_receive_reset}}
{
  struct sock *sk = (struct sock *)ctx->skaddr;
  struct inet_sock *inet = (struct inet_sock *)sk;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  u64 rport = {{port sk->__sk_common.skc_dport}};
  struct socket *held = {{read sk->sk_socket}};
  u64 inode = 0;
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who (u64)sk rport}}
  {{emit reset
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    direction = 2
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = {port inet->inet_sport}
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    state = {read sk->__sk_common.skc_state}
    reason = null
  }}
  return 0;
}
