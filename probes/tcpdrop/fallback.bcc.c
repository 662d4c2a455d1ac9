#include <linux/skbuff.h>
#include <linux/netdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/dst.h>
#include <net/ipv6.h>
#include <net/tcp_states.h>

{{include ../owners.bcc.c}}

// Not by pointers: the rewriter of bcc 0.18 breaks those within a macro.
static __always_inline u8 byte_at(const void *at)
{
  u8 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), at);
  return value;
}

static __always_inline u16 port_at(const void *at)
{
  u16 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), at);
  return bpf_ntohs(value);
}

static __always_inline u32 address_at(const void *at)
{
  u32 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), at);
  return value;
}

// Where the TCP header of an IPv6 packet stands, null for what has none. Extension headers are before it, each with the kind of the
// next one and its own length (RFC 8200, 4; RFC 4302, 2.2); of a packet with more than eight we see none.
static __always_inline unsigned char *after_extensions(unsigned char *ip, unsigned char *end)
{
  u64 next = byte_at(ip + 6);
  unsigned char *at = ip + 40;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    u64 size = 0;
    if (next == NEXTHDR_HOP || next == NEXTHDR_ROUTING || next == NEXTHDR_DEST) size = byte_at(at + 1) * 8 + 8;
    if (next == NEXTHDR_AUTH) size = byte_at(at + 1) * 4 + 8;
    if (next == NEXTHDR_FRAGMENT && (port_at(at + 2) & 0xfff8) == 0) size = 8;
    if (size != 0) {
      next = at + 8 <= end ? byte_at(at) : NEXTHDR_NONE;
      at += size;
    }
  }
  return next == IPPROTO_TCP ? at : 0;
}

{{tracepoint skb:kfree_skb}}
{
  if (ctx->protocol != 0x0800 && ctx->protocol != 0x86dd) return 0;
  struct sk_buff *skb = (struct sk_buff *)ctx->skbaddr;
  {{when reason}}
  // Numbers below this one are no reasons: not dropped yet, consumed.
  u64 reason = ctx->reason;
  if (reason < SKB_DROP_REASON_NOT_SPECIFIED) return 0;
  {{else}}
  u64 reason = 4294967295U;
  {{end}}
  {{when rxsk}}
  struct sock *sk = (struct sock *)ctx->rx_sk;
  {{else}}
  struct sock *sk = 0;
  {{end}}
  unsigned char *head = {{read skb->head}};
  unsigned char *end = head + {{read skb->tail}};
  unsigned char *ip = head + {{read skb->network_header}};
  u64 first = byte_at(ip);
  unsigned char *tcp = 0;
  // A fragment has a TCP header only if it is the first.
  if (ctx->protocol == 0x0800 && first >> 4 == 4) {
    u64 protocol = byte_at(ip + 9);
    u64 fragment = port_at(ip + 6);
    if (protocol == IPPROTO_TCP && (fragment & 8191) == 0) tcp = ip + (first & 15) * 4;
  }
  if (ctx->protocol == 0x86dd && first >> 4 == 6) {
    tcp = after_extensions(ip, end);
  }
  if (tcp == 0) return 0;
  u64 iif = {{read skb->skb_iif}};
  u64 direction = iif != 0 ? 2 : 1;
  // What is beyond the linear part of the packet cannot be read here.
  u64 source = 0;
  u64 dest = 0;
  u64 flags = 65535;
  if (tcp + 20 <= end) {
    source = port_at(tcp);
    dest = port_at(tcp + 2);
    flags = byte_at(tcp + 13);
  }
  if (sk == 0) sk = {{read skb->sk}};
  // The socket may be one of another protocol, such as a raw one. Two states have small sockets, without a protocol of their own.
  u64 state = 0;
  u64 peer = 0;
  struct net *net = 0;
  if (sk != 0) {
    net = {{read sk->__sk_common.skc_net.net}};
    u64 family = {{read sk->__sk_common.skc_family}};
    if (family == AF_INET || family == AF_INET6) {
      state = {{read sk->__sk_common.skc_state}};
      peer = {{port sk->__sk_common.skc_dport}};
      if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV) {
        u64 protocol = {{read sk->sk_protocol}};
        u64 type = {{read sk->sk_type}};
        if (type != SOCK_STREAM || (protocol != IPPROTO_TCP && protocol != 262)) state = 0;
      }
    }
    // A copy that waited for a raw or packet socket is no segment of TCP.
    if (state == 0 && direction == 2) return 0;
    if (state == 0) sk = 0;
  }
  // A device pointer shares its place with others; it is one where the index is that of the device the packet came by.
  if (net == 0) {
    struct net_device *dev = {{read skb->dev}};
    u64 index = iif;
    if (dev != 0) index = {{read dev->ifindex}};
    if (dev != 0 && (iif == 0 || index == iif)) net = {{read dev->nd_net.net}};
    // TCP takes the device away while it works on a segment; the route is still there.
    if (dev == 0 && iif != 0) {
      struct dst_entry *dst = (struct dst_entry *)({{read skb->_skb_refdst}} & ~1UL);
      if (dst != 0) {
        dev = {{read dst->dev}};
        net = {{read dev->nd_net.net}};
      }
    }
  }
  u64 lport = direction == 2 ? dest : source;
  u64 rport = direction == 2 ? source : dest;
  // What stands in for a socket in TIME_WAIT or before ESTABLISHED is smaller than one, and nobody's.
  u64 inode = 0;
  if (sk != 0 && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV) {
    struct socket *held = {{read sk->sk_socket}};
    if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  }
  {{owner who (u64)sk peer}}
  if (first >> 4 == 4) {
    unsigned char *local = direction == 2 ? ip + 16 : ip + 12;
    unsigned char *remote = direction == 2 ? ip + 12 : ip + 16;
    {{emit drop
      ktime_ns = bpf_ktime_get_ns()
      owner who
      inode = inode
      direction = direction
      netns = {read net->ns.inum}
      laddr = in4 address_at(local)
      lport = lport
      raddr = in4 address_at(remote)
      rport = rport
      state = state
      tcp_flags = flags
      reason = reason
      stack = kstack
    }}
  } else {
    unsigned char *local = direction == 2 ? ip + 24 : ip + 8;
    unsigned char *remote = direction == 2 ? ip + 8 : ip + 24;
    {{emit drop
      ktime_ns = bpf_ktime_get_ns()
      owner who
      inode = inode
      direction = direction
      netns = {read net->ns.inum}
      laddr = in6 local
      lport = lport
      raddr = in6 remote
      rport = rport
      state = state
      tcp_flags = flags
      reason = reason
      stack = kstack
    }}
  }
  return 0;
}
