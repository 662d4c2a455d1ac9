#include <net/sock.h>
#include <net/request_sock.h>
#include <linux/if_ether.h>
#include <linux/skbuff.h>
#include <linux/in.h>
#include <net/tcp_states.h>

// The owner of a listening socket is who calls listen(), which enters LISTEN.
{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 key = (u64)ctx->skaddr;
  u64 old = ctx->oldstate;
  u64 next = ctx->newstate;
  if (next == TCP_LISTEN) {{open key 0}}
  if (old == TCP_LISTEN && next == TCP_CLOSE) {{forget key}}
  return 0;
}

{{kprobe tcp_v4_syn_recv_sock struct sock *sk, struct sk_buff *skb, struct request_sock *req}}
{
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  u64 backlog = {{read sk->sk_ack_backlog}};
  u64 most = {{read sk->sk_max_ack_backlog}};
  struct socket *held = {{read sk->sk_socket}};
  u64 inode = 0;
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who (u64)sk 0}}
  {{emit handshake
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    netns = {read net->ns.inum}
    laddr = in6 &req->__req_common.skc_v6_rcv_saddr
    lport = {read req->__req_common.skc_num}
    raddr = in6 &req->__req_common.skc_v6_daddr
    rport = {port req->__req_common.skc_dport}
    backlog = backlog
    backlog_max = most
    queue = (backlog > most ? 2 : 1)
  }}
  return 0;
}

// IPv4 at an IPv6 listener comes here too and goes on to the function above.
{{kprobe tcp_v6_syn_recv_sock struct sock *sk, struct sk_buff *skb, struct request_sock *req}}
{
  u64 protocol = {{port skb->protocol}};
  if (protocol == ETH_P_IP) return 0;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  u64 backlog = {{read sk->sk_ack_backlog}};
  u64 most = {{read sk->sk_max_ack_backlog}};
  struct socket *held = {{read sk->sk_socket}};
  u64 inode = 0;
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who (u64)sk 0}}
  {{emit handshake
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    netns = {read net->ns.inum}
    laddr = in6 &req->__req_common.skc_v6_rcv_saddr
    lport = {read req->__req_common.skc_num}
    raddr = in6 &req->__req_common.skc_v6_daddr
    rport = {port req->__req_common.skc_dport}
    backlog = backlog
    backlog_max = most
    queue = (backlog > most ? 2 : 1)
  }}
  return 0;
}
