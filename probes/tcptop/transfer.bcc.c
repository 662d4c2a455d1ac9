  struct net *net = {{read sk->__sk_common.skc_net.net}};
  if (bytes > 0) {
    {{emit transfer
      task
      netns = {read net->ns.inum}
      laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
      lport = {read sk->__sk_common.skc_num}
      raddr = in6 &sk->__sk_common.skc_v6_daddr
      rport = {port sk->__sk_common.skc_dport}
      sent = sent
      received = received
    }}
  }
