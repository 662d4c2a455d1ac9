import { Writable } from 'node:stream'
import { execa } from 'execa'
import type { User } from '../host/users.ts'
import { EbpfRunError } from '../errors.ts'
import type { Exit } from './child.ts'

/** `-- COMMAND`: a process that waits, and becomes the command when the run is attached. */
export interface Command {
  readonly pid: number
  /** Lets it start. */
  begin(): void
  /** How it ended by itself or by `end`. */
  readonly exited: Promise<Exit>
  /** Ends it: SIGTERM, five seconds later SIGKILL. One that has not begun never does. */
  end(): Promise<void>
}

/** Waits for a line on fd 3, then becomes its arguments. Without the line (ebpf-run is gone) it ends. Constant text. */
const stub = 'read -r _ <&3 || exit 125; exec 3<&-; exec "$@"'

const patienceMs = 5_000

/**
 * Starts the waiting process. `stdout` is the descriptor that takes the command's output: 2 where ours carries events.
 * Throws COMMAND_FAILED when it cannot be started at all.
 */
export function startCommand(request: {
  readonly argv: readonly string[]
  readonly user: User | null
  readonly stdout: 1 | 2
  readonly setpriv: string | null
  readonly env: NodeJS.ProcessEnv
}): Command {
  const { argv, user, setpriv } = request
  const waiting = ['/bin/sh', '-c', stub, 'ebpf-run', ...argv]
  const [file = '', ...args] =
    setpriv === null
      ? waiting
      : [setpriv, '--pdeathsig', 'TERM', ...identity(user), '--', ...waiting]
  if (user !== null && setpriv === null) throw notStarted('setpriv (util-linux) is not there')
  const subprocess = execa(file, args, {
    env: user === null ? request.env : { ...request.env, ...homeOf(user) },
    extendEnv: false,
    cleanup: false,
    buffer: false,
    reject: false,
    stdio: ['inherit', request.stdout, 2, 'pipe'],
  })
  const { pid } = subprocess
  const gate = subprocess.stdio[3]
  if (pid === undefined || !(gate instanceof Writable)) {
    void subprocess.catch(() => {})
    throw notStarted(file)
  }
  gate.on('error', () => {})
  const exited = subprocess.then((result): Exit => ({
    code: result.exitCode ?? null,
    signal: result.signal ?? null,
  }))
  return {
    pid,
    begin: () => void gate.end('\n'),
    exited,
    async end() {
      gate.destroy()
      subprocess.kill('SIGTERM')
      const timer = setTimeout(() => subprocess.kill('SIGKILL'), patienceMs)
      await exited
      clearTimeout(timer)
    },
  }
}

/** What setpriv is told about the user; init-groups needs the change of both ids. */
function identity(user: User | null): readonly string[] {
  return user === null
    ? []
    : ['--reuid', String(user.uid), '--regid', String(user.gid), '--init-groups']
}

function homeOf({ name, home }: User): Record<string, string> {
  return { HOME: home, USER: name, LOGNAME: name }
}

function notStarted(found: string): EbpfRunError {
  return new EbpfRunError({
    code: 'COMMAND_FAILED',
    message: 'the command could not be started',
    found,
    remedy: 'ebpf-run doctor',
  })
}
