{{include life.bcc.c}}

// The kernel tells a state before it is entered, and now and then one that is there already.
{{tracepoint tcp:tcp_cong_state_set}}
{
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx->skaddr;
  u64 key = (u64)ctx->skaddr;
  u64 new = ctx->cong_state;
  u64 lport = ctx->sport;
  u64 rport = ctx->dport;
  u64 old = congestion_state(sk);
  u64 state = {{read sk->__sk_common.skc_state}};
  if (old == new || state == TCP_CLOSE) return 0;
  u64 lasted = 0;
  struct life *life = lives.lookup(&key);
  if (life != 0 && life->state == old) lasted = now - life->ktime;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  // The inode tells later which process holds the socket. Nobody does before accept() and after close().
  u64 inode = 0;
  struct socket *held = {{read sk->sk_socket}};
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who key rport}}
  {{emit change
    ktime_ns = now
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = lport
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    old_state = old
    new_state = new
    duration_ns = lasted
  }}
  struct life next = { now, new, 1 };
  {{kept lives.update(&key, &next)}}
  return 0;
}
