// Where a program at the end of tcp_recvmsg() has its flags and its result. Before 5.19 whether to block was an argument of its own,
// and 7.2 takes no length of an address; struct proto says which it is.
#define RECVMSG_TAKES(...) __builtin_types_compatible_p( \
  __typeof__(((struct proto *)0)->recvmsg), int (*)(struct sock *, struct msghdr *, size_t, __VA_ARGS__))
#define RECVMSG_FLAGS (RECVMSG_TAKES(int, int, int *) ? 4 : 3)
#define RECVMSG_RESULT (RECVMSG_TAKES(int, int, int *) ? 6 : RECVMSG_TAKES(int, int *) ? 5 : 4)
