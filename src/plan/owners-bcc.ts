/*
 * Owners of sockets in a C program: a map from a socket to who acted on it last. render.ts has the same for bpftrace.
 */

/** The numbers of the ends are made as in render.ts. One that was opened has an inode: without it, its number is none. */
export const ownerDeclarations = `#include <linux/tcp.h>
#include <net/sock.h>
#include <net/inet_sock.h>

#define ER_MIX 6364136223846793005ULL

struct er_owner {
  __u64 cgroup;
  __u64 ends;
  __u32 pid;
  __u32 uid;
  char comm[16];
};

static __always_inline u64 er_far(u64 key, u64 rport)
{
  u64 raddr[2] = {};
  bpf_probe_read_kernel(raddr, 16, &((struct sock *)key)->__sk_common.skc_v6_daddr);
  struct net *net = ER_READ(((struct sock *)key)->__sk_common.skc_net.net);
  u64 netns = ER_READ(net->ns.inum);
  return ((raddr[0] * ER_MIX + raddr[1]) * ER_MIX + netns) * ER_MIX + rport;
}

static __always_inline u64 er_ends(u64 key, u64 rport)
{
  u64 laddr[2] = {};
  bpf_probe_read_kernel(laddr, 16, &((struct sock *)key)->__sk_common.skc_v6_rcv_saddr);
  u64 lport = bpf_ntohs(ER_READ(((struct inet_sock *)key)->inet_sport));
  u64 acked = ER_READ(((struct tcp_sock *)key)->bytes_acked);
  u32 first = ER_READ(((struct tcp_sock *)key)->snd_una) - (u32)acked;
  return ((er_far(key, rport) * ER_MIX + laddr[0]) * ER_MIX + laddr[1]) * ER_MIX + ((u64)first << 16) + lport;
}

static __always_inline u64 er_opened(u64 key, u64 rport)
{
  struct socket *held = ER_READ(((struct sock *)key)->sk_socket);
  if (held == 0) return 0;
  u64 inode = ER_READ(((struct socket_alloc *)held)->vfs_inode.i_ino);
  return er_far(key, rport) * ER_MIX + inode;
}`

/** Keeps the current task as the owner of a connection's socket. `kept` says when the map was full. */
export function learnOwner(key: string, port: string, kept: Kept): string {
  return keepOwner('er_ends', key, port, kept)
}

/** The same for one that has no local end yet. */
export function openOwner(key: string, port: string, kept: Kept): string {
  return keepOwner('er_opened', key, port, kept)
}

/** Runs a map's update, and counts that the map was full. */
type Kept = (update: string) => string

function keepOwner(ends: 'er_ends' | 'er_opened', key: string, port: string, kept: Kept): string {
  return `{
    struct er_owner er_owner = {};
    u64 er_key = ${key};
    er_owner.cgroup = bpf_get_current_cgroup_id();
    er_owner.pid = bpf_get_current_pid_tgid() >> 32;
    er_owner.uid = (__u32)bpf_get_current_uid_gid();
    er_owner.ends = ${ends}(er_key, ${port});
    bpf_get_current_comm(er_owner.comm, sizeof(er_owner.comm));
    ${kept('er_owners.update(&er_key, &er_owner)')}
  }`
}

/** It has a local end now; the owner stays. */
export function settleOwner(key: string, port: string): string {
  return `{
    u64 er_key = ${key};
    struct er_owner *er_known = er_owners.lookup(&er_key);
    if (er_known != 0 && er_known->ends != 0 && er_known->ends == er_opened(er_key, ${port}))
      er_known->ends = er_ends(er_key, ${port});
  }`
}

export function forgetOwner(key: string): string {
  return `{ u64 er_key = ${key}; er_owners.delete(&er_key); }`
}

/** Declares a pointer to the owner, null when nobody is known or the socket has other ends. */
export function ownerOf(variable: string, key: string, port: string): string {
  return `u64 er_key_${variable} = ${key};
  struct er_owner er_copy_${variable} = {};
  struct er_owner *${variable} = er_owners.lookup(&er_key_${variable});
  if (${variable} != 0) {
    er_copy_${variable} = *${variable};
    u64 er_known = er_copy_${variable}.ends;
    // The place of an entry that goes is given to another socket at once.
    struct er_owner *er_again = er_owners.lookup(&er_key_${variable});
    ${variable} = er_again == ${variable} ? &er_copy_${variable} : 0;
    if (er_known == 0 || (er_known != er_ends(er_key_${variable}, ${port}) && er_known != er_opened(er_key_${variable}, ${port})))
      ${variable} = 0;
  }`
}
