#include <net/sock.h>
#include <linux/version.h>

{{exit tcp_sendmsg}}
{
  struct sock *sk = (struct sock *)ctx[0];
  s64 bytes = (int)ctx[3];
  u64 sent = bytes;
  u64 received = 0;
{{include transfer.bcc.c}}
  return 0;
}

// A look with MSG_PEEK takes nothing. Before 5.19 whether to block was an argument of its own.
{{exit tcp_recvmsg}}
{
  struct sock *sk = (struct sock *)ctx[0];
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
  u64 flags = ctx[4];
  s64 bytes = (int)ctx[6];
#else
  u64 flags = ctx[3];
  s64 bytes = (int)ctx[5];
#endif
  if ((flags & MSG_PEEK) != 0) return 0;
  u64 sent = 0;
  u64 received = bytes;
{{include transfer.bcc.c}}
  return 0;
}
