import { execa } from 'execa'
import split2 from 'split2'
import type { Launch } from '../backends/launcher.ts'
import { EbpfRunError } from '../errors.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A running back-end in a process group of its own, so that a Ctrl-C of the terminal does not reach it. */
export interface Child {
  readonly pid: number
  readonly stdout: NodeJS.ReadableStream & {
    pause(): unknown
    resume(): unknown
    destroy(): unknown
  }
  /** Hands over the program; the child waits for it. */
  sendProgram(text: string): void
  /** Signals the child alone: the end gate's signal must reach exactly this process. */
  signal(signal: NodeJS.Signals): void
  /** Kills the whole group at once. */
  kill(): void
  readonly exited: Promise<Exit>
  /** The last lines of stderr. */
  lastLines(): readonly string[]
}

const keptLines = 200
/** A line without end is dropped and not kept: stderr is for people. */
const lineOptions = { maxLength: 16_384, skipOverflow: true }

/** Starts a back-end. Throws BACKEND_DIED when it cannot be started at all. */
export function startChild(launch: Launch, onLine: (line: string) => void): Child {
  const subprocess = execa(launch.command, launch.args, {
    env: launch.env,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const { pid, stdin, stdout, stderr } = subprocess
  if (pid === undefined || stdin === null || stdout === null || stderr === null) {
    void subprocess.catch(() => {})
    throw new EbpfRunError({
      code: 'BACKEND_DIED',
      message: `${launch.command} could not be started`,
      remedy: 'ebpf-run doctor',
    })
  }
  // A child that ends before it has read its program breaks this pipe; its exit tells more.
  stdin.on('error', () => {})
  // What a child leaves behind in its group would hold its output open.
  subprocess.once('exit', () => void kill(-pid, 'SIGKILL'))
  const lines: string[] = []
  stderr.setEncoding('latin1')
  stderr.pipe(split2(lineOptions)).on('data', (line: string) => {
    lines.push(line)
    if (lines.length > keptLines) lines.shift()
    onLine(line)
  })
  return {
    pid,
    stdout,
    sendProgram: (text) => void stdin.end(text),
    signal: (signal) => void kill(pid, signal),
    kill: () => void kill(-pid, 'SIGKILL'),
    exited: subprocess.then((result) => ({
      code: result.exitCode ?? null,
      signal: result.signal ?? null,
    })),
    lastLines: () => lines,
  }
}

/** Signals a process or, with a negative number, a group; one that is gone is no error. */
function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
