import { closeSync } from 'node:fs'
import { execa } from 'execa'
import split2 from 'split2'
import type { Launch } from '../backends/launcher.ts'
import { EbpfRunError } from '../errors.ts'
import { openPipe, type PacedReader, readPaced } from './pipe.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A running back-end in a process group of its own, so that a Ctrl-C of the terminal does not reach it. */
export interface Child {
  readonly pid: number
  readonly stdout: PacedReader
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
  const pipe = openPipe()
  // Any descriptor will do; execa's types know the first three.
  const stdoutTo = pipe === null ? 'pipe' : (pipe.writeEnd as 1)
  const subprocess = execa(launch.command, launch.args, {
    env: launch.env,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stdio: ['pipe', stdoutTo, 'pipe'],
  })
  if (pipe !== null) closeSync(pipe.writeEnd)
  const { pid, stdin, stderr } = subprocess
  const stdout = pipe === null ? withoutPace(subprocess.stdout) : readPaced(pipe.readEnd)
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
  subprocess.once('exit', () => {
    kill(-pid, 'SIGKILL')
    stdout.hurry()
  })
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
    signal(signal) {
      // Signals are sent when a run ends.
      stdout.hurry()
      kill(pid, signal)
    },
    kill: () => void kill(-pid, 'SIGKILL'),
    exited: subprocess.then((result) => ({
      code: result.exitCode ?? null,
      signal: result.signal ?? null,
    })),
    lastLines: () => lines,
  }
}

/** Node's own pipe, as it comes. */
function withoutPace(stream: NodeJS.ReadableStream | null): PacedReader | null {
  return stream === null ? null : (Object.assign(stream, { hurry() {} }) as unknown as PacedReader)
}

/** Signals a process or, with a negative number, a group; one that is gone is no error. */
function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
