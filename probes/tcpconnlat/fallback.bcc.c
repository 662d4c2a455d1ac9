#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp_states.h>

struct call {
  u64 start;
  u64 cgroup;
  u32 pid;
  u32 tid;
  u32 cpu;
  u32 uid;
  char comm[16];
};
BPF_HASH(calls, u64, struct call, {{keys}});

{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 now = bpf_ktime_get_ns();
  u64 key = (u64)ctx->skaddr;
  u64 old = ctx->oldstate;
  u64 new = ctx->newstate;
  // A socket enters SYN_SENT in the context of the task that connects; its local port is not known yet.
  if (new == TCP_SYN_SENT) {
    struct call begun = {};
    begun.start = now;
    begun.cgroup = bpf_get_current_cgroup_id();
    begun.pid = bpf_get_current_pid_tgid() >> 32;
    begun.tid = (u32)bpf_get_current_pid_tgid();
    begun.cpu = bpf_get_smp_processor_id();
    begun.uid = (u32)bpf_get_current_uid_gid();
    bpf_get_current_comm(begun.comm, sizeof(begun.comm));
    {{kept calls.update(&key, &begun)}}
    return 0;
  }
  // What follows tells the local port and the outcome; it comes from anywhere, mostly from softirq.
  // SYN_RECV is a simultaneous open: wait for what comes after it.
  if ((old != TCP_SYN_SENT && old != TCP_SYN_RECV) || new == TCP_SYN_RECV) return 0;
  struct call *call = calls.lookup(&key);
  if (call == 0) return 0;
  struct sock *sk = (struct sock *)ctx->skaddr;
  struct tcp_sock *tp = (struct tcp_sock *)ctx->skaddr;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  u64 lasted = now - call->start;
  u64 error = {{read sk->sk_err}};
  u64 segments = {{read tp->segs_out}};
  u64 outcome = 1;
  if (new != TCP_ESTABLISHED) {
    // No error, or that of a socket which was destroyed: this side gave up. What else there is came from the network by ICMP.
    outcome = 4;
    if (error == 0 || error == 103 || error == 104) outcome = 5;
    if (error == 110) outcome = 3;
    if (error == 111) outcome = 2;
    // No SYN left.
    if (segments == 0) outcome = 6;
  }
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  if (outcome != 6 && lasted >= {{param min}})
  {{emit connect
    ktime_ns = call->start
    pid = call->pid
    tid = call->tid
    cpu = call->cpu
    uid = call->uid
    comm = kernel call->comm
    cgroup = call->cgroup
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = lport
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    outcome = outcome
    duration_ns = lasted
  }}
  calls.delete(&key);
  return 0;
}
