import { execFile } from 'node:child_process'

/** What a child saw in a tracefs that it mounted for itself alone. */
export interface PrivateTracefs {
  /** Null: tracefs was mounted; else why not. */
  readonly failure: string | null
  /** Format file (path below the root of tracefs) to its text; null: no such file; absent: it could not be read. */
  readonly formats: ReadonlyMap<string, string | null>
  /** Opening available_filter_functions: `readable`, `absent`, or what the open said. */
  readonly functions: string | null
  /** True when tracefs has kprobe_events. */
  readonly kprobeEvents: boolean
  /** Text of /sys/kernel/security/lockdown, null when it could not be seen. */
  readonly lockdown: string | null
}

/**
 * Constant text: names come as arguments only. It runs in its own mount namespace, so the mounts are gone with it.
 * One grep prefixes every line with its file, which keeps a file that fails in the middle from shifting the others.
 */
const script = `
t=/sys/kernel/tracing
mount -t tracefs tracefs $t 2>&1 || exit 1
s=/sys/kernel/security
test -e $s/lockdown || mount -t securityfs securityfs $s 2>/dev/null
test -r $s/lockdown && read -r l < $s/lockdown && echo "@lockdown $l"
cd $t || exit 1
echo "@mounted"
test -e kprobe_events && echo "@kprobe_events"
if test -e available_filter_functions; then
  e=$( { : < available_filter_functions; } 2>&1 ) && echo "@functions readable" || echo "@functions $e"
else echo "@functions absent"
fi
for f; do test -e "$f" || echo "@missing $f"; done
exec grep -Hs '' "$@" /dev/null
`

/**
 * Mounts tracefs in a mount namespace of one child and reads the asked format files there; the host's mounts are
 * not touched. Needs CAP_SYS_ADMIN. About 10 ms.
 */
export function readPrivateTracefs(
  unshare: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<PrivateTracefs> {
  const command = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', ...files]
  const options = {
    encoding: 'latin1',
    env: { ...env, LC_ALL: 'C' },
    timeout: 30_000,
    maxBuffer: 1 << 26,
  } as const
  return new Promise((resolve) => {
    const child = execFile(unshare, command, options, (error, stdout, stderr) => {
      resolve(parsePrivateTracefs(stdout, stderr || (error?.message ?? '')))
    })
    child.stdin?.end()
  })
}

/** What the script printed -> what it saw. */
export function parsePrivateTracefs(stdout: string, stderr: string): PrivateTracefs {
  const lines = stdout.split('\n')
  const marks = lines.filter((line) => line.startsWith('@'))
  const after = (word: string) =>
    marks.find((line) => line.startsWith(word))?.slice(word.length) ?? null
  const isThere = marks.includes('@mounted')
  return {
    failure: isThere ? null : lastLine(stderr) || lastLine(stdout) || 'the child said nothing',
    formats: isThere ? collectFormats(lines) : new Map(),
    functions: after('@functions ')?.split(': ').at(-1) ?? null,
    kprobeEvents: marks.includes('@kprobe_events'),
    lockdown: after('@lockdown '),
  }
}

function collectFormats(lines: readonly string[]): Map<string, string | null> {
  const formats = new Map<string, string | null>()
  for (const line of lines) {
    const missing = /^@missing (.+)$/.exec(line)?.[1]
    if (missing !== undefined) formats.set(missing, null)
    const [, file, text] = /^(events\/[^:]+):(.*)$/.exec(line) ?? []
    if (file !== undefined) formats.set(file, `${formats.get(file) ?? ''}${text}\n`)
  }
  return formats
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
