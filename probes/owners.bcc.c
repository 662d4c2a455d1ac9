// The owner of a socket is learned where the task itself acts: connect() enters SYN_SENT, listen() enters LISTEN. It is kept until
// the socket is destroyed: a reset is sent when its socket has reached CLOSE already.
{{tracepoint sock:inet_sock_set_state}}
{
  if (ctx->protocol != IPPROTO_TCP) return 0;
  u64 key = (u64)ctx->skaddr;
  u64 old = ctx->oldstate;
  u64 new = ctx->newstate;
  if (new == TCP_SYN_SENT || new == TCP_LISTEN) {{open key ctx->dport}}
  // What leaves SYN_SENT has a local end.
  if (old == TCP_SYN_SENT) {{settle key ctx->dport}}
  // A new socket, in memory that an earlier one may have had.
  if (old == TCP_LISTEN && new == TCP_SYN_RECV) {{forget key}}
  return 0;
}

{{tracepoint tcp:tcp_destroy_sock}}
{
  u64 key = (u64)ctx->skaddr;
  {{forget key}}
  return 0;
}
{{include accepters.bcc.c}}
