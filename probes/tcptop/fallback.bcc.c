#include <net/sock.h>

{{include ../recvmsg.bcc.c}}

{{exit tcp_sendmsg}}
{
  struct sock *sk = (struct sock *)ctx[0];
  s64 bytes = (int)ctx[3];
  u64 sent = bytes;
  u64 received = 0;
{{include transfer.bcc.c}}
  return 0;
}

// A look with MSG_PEEK takes nothing.
{{exit tcp_recvmsg}}
{
  struct sock *sk = (struct sock *)ctx[0];
  u64 flags = ctx[RECVMSG_FLAGS];
  s64 bytes = (int)ctx[RECVMSG_RESULT];
  if ((flags & MSG_PEEK) != 0) return 0;
  u64 sent = 0;
  u64 received = bytes;
{{include transfer.bcc.c}}
  return 0;
}
