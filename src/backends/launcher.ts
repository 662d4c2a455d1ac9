import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'

/** What to start for a plan: never a word of the user's, never the program. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * The launcher of a back-end: mounts in its own namespace when told so, keeps the program in a file without a name when told
 * so, then becomes the command. Constant text; what varies are its arguments. debugfs is for bpftrace 0.17 and older and for
 * bcc, which look there.
 */
const launcher = `
if [ "$1" = mount ]; then
  [ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || exit 126
  mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
  [ -d /sys/kernel/debug/tracing ] && mount -t tracefs tracefs /sys/kernel/debug/tracing 2>/dev/null
fi
if [ "$2" = file ]; then
  program=$(mktemp) || exit 125
  exec 4>"$program" 3<"$program"
  rm -f "$program"
  cat >&4
  exec 4>&-
fi
shift 2
exec "$@"
`

/** The words that start a command in the surroundings that the plan asks for. `asFile`: its program comes on /dev/fd/3. */
export function surround(
  words: readonly string[],
  { privateTracefs }: Pick<Plan, 'privateTracefs'>,
  { tools }: HostFacts,
  asFile: boolean,
): Pick<Launch, 'command' | 'args'> {
  // The kernel stops the child when ebpf-run dies, whatever kills it.
  const guarded = tools.setpriv === null ? words : [tools.setpriv, '--pdeathsig', 'TERM', ...words]
  const launched =
    privateTracefs || asFile
      ? [
          '/bin/sh',
          '-c',
          launcher,
          'ebpf-run',
          privateTracefs ? 'mount' : '-',
          asFile ? 'file' : '-',
          ...guarded,
        ]
      : guarded
  const [command = '', ...args] = privateTracefs
    ? [tools.unshare ?? 'unshare', '--mount', '--propagation', 'private', ...launched]
    : launched
  return { command, args }
}

/** What a line outside records says. Lines are hints for people: no figure is computed from them. */
export type Notice = { readonly lost: number } | 'banner' | 'blank' | 'map' | null
