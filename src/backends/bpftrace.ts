import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'

/** What to start for a plan: never a word of the user's, never the program. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * The launcher of bpftrace: mounts in its own namespace when told so, keeps the program in a file without a name when told
 * so, then becomes the command. Constant text; what varies are its arguments. debugfs is for bpftrace 0.17 and older, which look there.
 */
const launcher = `
if [ "$1" = mount ]; then
  mount -t tracefs tracefs /sys/kernel/tracing || exit 126
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

/** Bytes of the longest str(): 128 shown, one to know that there was more, one for the NUL. */
const stringBytes = '130'

/** The launch of a plan's bpftrace. `typesFolder` holds linux/types.h for the versions that need one. */
export function launchBpftrace(plan: Plan, facts: HostFacts, typesFolder: string): Launch {
  const { dialect } = plan
  const asFile = dialect.programFrom === 'file'
  const bpftrace = [
    facts.bpftrace.path ?? 'bpftrace',
    ...dialect.flags,
    ...(dialect.ownTypes ? ['-I', typesFolder] : []),
    asFile ? '/dev/fd/3' : '-',
  ]
  // The kernel stops the child when ebpf-run dies, whatever kills it.
  const guarded =
    facts.tools.setpriv === null
      ? bpftrace
      : [facts.tools.setpriv, '--pdeathsig', 'TERM', ...bpftrace]
  const launched =
    plan.privateTracefs || asFile
      ? [
          '/bin/sh',
          '-c',
          launcher,
          'ebpf-run',
          plan.privateTracefs ? 'mount' : '-',
          asFile ? 'file' : '-',
          ...guarded,
        ]
      : guarded
  const [command = '', ...args] = plan.privateTracefs
    ? [facts.tools.unshare ?? 'unshare', '--mount', '--propagation', 'private', ...launched]
    : launched
  return {
    command,
    args,
    env: {
      [dialect.strlenVariable]: stringBytes,
      [dialect.keysVariable]: String(plan.buffers.mapKeys),
      [dialect.pagesVariable]: String(plan.buffers.pages),
      BPFTRACE_STR_TRUNC_TRAILER: '',
      // From 0.23 on messages are coloured even where nobody looks.
      NO_COLOR: '1',
    },
  }
}

/** What a line outside records says. Lines are hints for people: no figure is computed from them. */
export function readNotice(
  line: string,
): { readonly lost: number } | 'banner' | 'blank' | 'map' | null {
  if (line === '') return 'blank'
  if (/^Attach(?:ing|ed) \d+ probes?/.test(line)) return 'banner'
  const lost = /^Lost (\d{1,15}) events$/.exec(line)
  if (lost) return { lost: Number(lost[1]) }
  return line.startsWith('@') ? 'map' : null
}
