/* What stands in front of a program for bcc. */

/** Reads a member without bcc's own rewriting, which does not follow every pointer. */
export const prelude = `#include <uapi/linux/ptrace.h>
#include <linux/sched.h>

#define ER_READ(member) ({ \\
  __typeof__(member) er_value; \\
  bpf_probe_read_kernel((void *)&er_value, sizeof(er_value), (const void *)&(member)); \\
  er_value; \\
})`

/** The same where nothing is read, by the headers in place of the kernel's (src/backends/bcc/kernel/). */
export const preludeWithoutHeaders = '#include <linux/types.h>'

/** A program at a function's end is told by its name, which has the module in it where bcc can attach to modules (0.31; not 0.26). */
export const exitMacro = `#ifdef MODULE_KRETFUNC_PROBE
#define ER_EXIT(name) kretfunc__vmlinux__##name
#else
#define ER_EXIT(name) kretfunc__##name
#endif`

export const interfaceStruct = `struct er_interface {
  char name[24];
  u32 ethernet;
};
BPF_HASH(er_interfaces, u32, struct er_interface, 1024);`
