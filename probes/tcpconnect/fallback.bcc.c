#include <net/sock.h>
#include <linux/in.h>
#include <linux/in6.h>

struct call {
  struct sock *sk;
  void *uaddr;
};
BPF_HASH(calls, u32, struct call, {{keys}});

{{kprobe tcp_v4_connect struct sock *sk, void *uaddr}}
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call call = { sk, uaddr };
  {{kept calls.update(&tid, &call)}}
  return 0;
}

{{kprobe tcp_v6_connect struct sock *sk, void *uaddr}}
{
  // A v4-mapped address makes it call tcp_v4_connect, so each has a key of its own.
  u32 tid = (u32)bpf_get_current_pid_tgid() | 0x80000000;
  struct call call = { sk, uaddr };
  {{kept calls.update(&tid, &call)}}
  return 0;
}

// On success the socket knows all; on failure the address that was asked for is in the kernel's copy of what the caller gave.
{{kretprobe tcp_v4_connect 512}}
{
  u32 tid = bpf_get_current_pid_tgid();
  struct call *call = calls.lookup(&tid);
  if (call == 0) return 0;
  struct sock *sk = call->sk;
  struct sockaddr_in *uaddr = call->uaddr;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  {{emit connect
    task
    netns = {read net->ns.inum}
    laddr = bound sk
    lport = {read sk->__sk_common.skc_num}
    raddr = in4 {read uaddr->sin_addr.s_addr}
    rport = {port uaddr->sin_port}
    result = PT_REGS_RC(ctx)
  }}
  calls.delete(&tid);
  return 0;
}

{{kretprobe tcp_v6_connect 512}}
{
  u32 tid = (u32)bpf_get_current_pid_tgid() | 0x80000000;
  struct call *call = calls.lookup(&tid);
  if (call == 0) return 0;
  struct sock *sk = call->sk;
  struct sockaddr_in6 *uaddr = call->uaddr;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  struct in6_addr asked = {{read uaddr->sin6_addr}};
  // A v4-mapped address went through tcp_v4_connect, which has reported it.
  if (asked.s6_addr32[0] != 0 || asked.s6_addr32[1] != 0 || asked.s6_addr32[2] != bpf_htonl(0xffff))
  {{emit connect
    task
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = {read sk->__sk_common.skc_num}
    raddr = in6 &uaddr->sin6_addr
    rport = {port uaddr->sin6_port}
    result = PT_REGS_RC(ctx)
  }}
  calls.delete(&tid);
  return 0;
}
