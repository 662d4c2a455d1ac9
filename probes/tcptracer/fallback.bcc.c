#include <net/inet_sock.h>
#include <net/sock.h>
#include <net/tcp_states.h>

// What is kept of a connection lasts as long as its socket: a program can receive what came before the end.
struct connection {
  u64 id;
  u64 start;
  u64 opened;
  u64 sent;
  u64 received;
};
BPF_HASH(connections, u64, struct connection, {{keys}});

// Made of the time and of the CPU, so that no two of a run have the same.
static __always_inline u64 number(u64 now)
{
  u64 cpu = bpf_get_smp_processor_id();
  return (now << 12) | (cpu & 4095);
}

// A connection that is older than the run gets its number when it is first seen.
static __always_inline u64 number_of(u64 key, u64 now)
{
  struct connection *known = connections.lookup(&key);
  if (known != 0) return known->id;
  struct connection older = {};
  older.id = number(now);
  {{kept connections.update(&key, &older)}}
  return older.id;
}

// A connection begins where its socket enters SYN_SENT, in the task that connects, or where the other side's handshake is complete.
{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx->skaddr;
  u64 key = (u64)ctx->skaddr;
  u64 old = ctx->oldstate;
  u64 new = ctx->newstate;
  u64 rport = {{port sk->__sk_common.skc_dport}};
  if (old == TCP_CLOSE && new == TCP_SYN_SENT) {
    {{open key rport}}
    struct connection asked = {};
    asked.id = number(now);
    asked.start = now;
    {{kept connections.update(&key, &asked)}}
    return 0;
  }
  // What leaves SYN_SENT has a local end.
  if (old == TCP_SYN_SENT && new != TCP_CLOSE) {{settle key rport}}
  if (new != TCP_ESTABLISHED && new != TCP_CLOSE) return 0;
  struct connection *known = connections.lookup(&key);
  u64 start = known != 0 ? known->start : 0;
  if (new == TCP_ESTABLISHED && start == 0) {
    // The other side connects. A socket's memory is used again: what an earlier connection left there counts for nothing.
    {{forget key}}
    struct connection stands = {};
    stands.id = number(now);
    stands.opened = now;
    {{kept connections.update(&key, &stands)}}
    return 0;
  }
  u64 id = known != 0 ? known->id : number(now);
  u64 lport = {{port ((struct inet_sock *)sk)->inet_sport}};
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  s64 error = {{read sk->sk_err}};
  // The inode tells later which process holds the socket. Nobody does before accept() and after close().
  u64 inode = 0;
  struct socket *held = {{read sk->sk_socket}};
  if (held != 0) inode = {{read ((struct socket_alloc *)held)->vfs_inode.i_ino}};
  {{owner who key rport}}
  if (start != 0 && known != 0) {
    s64 result = error == 0 ? 1 : 0 - error;
    if (new == TCP_ESTABLISHED) {
      result = 0;
      known->opened = now;
      known->sent = 0;
      known->received = 0;
    }
    known->start = 0;
    {{emit connect
      ktime_ns = now
      cpu = bpf_get_smp_processor_id()
      owner who
      inode = inode
      connection = id
      cookie = {read sk->__sk_common.skc_cookie.counter}
      netns = {read net->ns.inum}
      laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
      lport = lport
      raddr = in6 &sk->__sk_common.skc_v6_daddr
      rport = rport
      result = result
      duration_ns = now - start
    }}
    return 0;
  }
  // These are no connections yet, or none any more.
  if (old == TCP_SYN_SENT || old == TCP_SYN_RECV || old == TCP_CLOSE || old == TCP_LISTEN) return 0;
  u64 lasted = 0;
  u64 sent = 0;
  u64 received = 0;
  if (known != 0) {
    if (known->opened != 0) lasted = now - known->opened;
    sent = known->sent;
    received = known->received;
  }
  {{emit close
    ktime_ns = now
    cpu = bpf_get_smp_processor_id()
    owner who
    inode = inode
    connection = id
    cookie = {read sk->__sk_common.skc_cookie.counter}
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = lport
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    result = 0 - error
    duration_ns = lasted
    first_sent_ns = sent
    first_received_ns = received
  }}
  return 0;
}

{{tracepoint tcp:tcp_destroy_sock}}
{
  u64 key = (u64)ctx->skaddr;
  {{forget key}}
  connections.delete(&key);
  return 0;
}

// accept() ties the new connection to the socket of the program: in the thread that accepts, after it was taken from the queue.
{{kprobe security_sock_graft struct sock *sk, struct socket *parent}}
{
  // Sockets of other families and protocols come this way too.
  u64 family = {{read sk->__sk_common.skc_family}};
  u64 protocol = {{read sk->sk_protocol}};
  if ((family != AF_INET && family != AF_INET6) || protocol != IPPROTO_TCP) return 0;
  u64 now = bpf_ktime_get_ns();
  u64 key = (u64)sk;
  u64 rport = {{port sk->__sk_common.skc_dport}};
  {{learn key rport}}
  u64 id = number_of(key, now);
  u64 lasted = 0;
  struct connection *known = connections.lookup(&key);
  if (known != 0 && known->opened != 0) lasted = now - known->opened;
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  {{emit accept
    task
    ktime_ns = now
    owner_from = 1
    connection = id
    cookie = {read sk->__sk_common.skc_cookie.counter}
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = {read sk->__sk_common.skc_num}
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = rport
    duration_ns = lasted
  }}
  return 0;
}
{{include ../senders.bcc.c}}
{{when data}}

{{include ../recvmsg.bcc.c}}

{{exit tcp_sendmsg}}
{
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx[0];
  u64 key = ctx[0];
  s64 ret = (int)ctx[3];
  u64 id = number_of(key, now);
  u64 first = 0;
  struct connection *known = connections.lookup(&key);
  if (ret > 0 && known != 0 && known->opened != 0 && known->sent == 0) {
    first = now - known->opened;
    known->sent = first;
  }
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  {{emit send
    task
    ktime_ns = now
    owner_from = 1
    connection = id
    cookie = {read sk->__sk_common.skc_cookie.counter}
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = {port ((struct inet_sock *)sk)->inet_sport}
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = {port sk->__sk_common.skc_dport}
    bytes = (ret > 0 ? ret : 0)
    result = (ret > 0 ? 0 : ret)
    first_ns = first
  }}
  return 0;
}

// A look with MSG_PEEK takes nothing.
{{exit tcp_recvmsg}}
{
  u64 now = bpf_ktime_get_ns();
  struct sock *sk = (struct sock *)ctx[0];
  u64 key = ctx[0];
  u64 flags = ctx[RECVMSG_FLAGS];
  s64 ret = (int)ctx[RECVMSG_RESULT];
  if ((flags & MSG_PEEK) != 0) return 0;
  u64 id = number_of(key, now);
  u64 first = 0;
  struct connection *known = connections.lookup(&key);
  if (ret > 0 && known != 0 && known->opened != 0 && known->received == 0) {
    first = now - known->opened;
    known->received = first;
  }
  struct net *net = {{read sk->__sk_common.skc_net.net}};
  {{emit receive
    task
    ktime_ns = now
    owner_from = 1
    connection = id
    cookie = {read sk->__sk_common.skc_cookie.counter}
    netns = {read net->ns.inum}
    laddr = in6 &sk->__sk_common.skc_v6_rcv_saddr
    lport = {port ((struct inet_sock *)sk)->inet_sport}
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = {port sk->__sk_common.skc_dport}
    bytes = (ret > 0 ? ret : 0)
    result = (ret > 0 ? 0 : ret)
    first_ns = first
  }}
  return 0;
}
{{end}}
