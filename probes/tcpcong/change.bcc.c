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
