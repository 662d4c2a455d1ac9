#include <net/sock.h>
#include <linux/tcp.h>
#include <net/tcp_states.h>

{{include ../owners.bcc.c}}

{{kprobe tcp_rcv_established struct sock *sk}}
{
  u64 rport = {{port sk->__sk_common.skc_dport}};
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  // The kernel keeps eighths of a microsecond.
  u64 srtt = {{read ((struct tcp_sock *)sk)->srtt_us}};
  // The inode tells later which process holds the socket. Nobody does before accept() and after close().
  u64 inode = 0;
  struct socket *held = {{read sk->sk_socket}};
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who (u64)sk rport}}
  {{emit sample
    ktime_ns = bpf_ktime_get_ns()
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = {read sk->__sk_common.skc_num}
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    srtt_ns = srtt * 125
  }}
  return 0;
}
