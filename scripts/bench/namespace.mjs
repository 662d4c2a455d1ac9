/** What the launcher of ebpf-run does as well: mounts in a namespace that goes with its last process. */
const mount = `{
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
[ -d /sys/kernel/debug/tracing ] && mount -t tracefs tracefs /sys/kernel/debug/tracing
} 2>/dev/null
`

/** Command and arguments that run a script of the shell where tracefs is mounted; `args` are its $1 and so on. */
export function inNamespace(script, ...args) {
  const shell = ['/bin/sh', '-c', mount + script, 'sh', ...args]
  return ['unshare', ['--mount', '--propagation', 'private', ...shell]]
}
