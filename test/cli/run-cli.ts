import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findTool } from '../../src/host/tools.ts'
import { makeFake, type Step } from '../fakes/make-fake.ts'

/** The command line under test: that of `npm run build`, or another build. */
export const cli =
  process.env['EBPF_RUN_CLI'] ?? fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

/** Why runs cannot be tested here, null when they can. */
export const cannotRun =
  process.getuid?.() === 0 ? null : `only root can trace, and this is uid ${process.getuid?.()}`

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command line that is running. */
export interface Running {
  readonly process: ChildProcess
  /** What it said so far. */
  readonly said: { stdout: string; stderr: string }
  /** Waits until stderr (or stdout) matches. */
  until(pattern: RegExp, stream?: 'stdout' | 'stderr'): Promise<void>
  readonly outcome: Promise<Outcome>
}

export interface CliOptions {
  /** Plays these on a fake bpftrace; without them the host's own is found on PATH. */
  readonly steps?: readonly Step[]
  readonly version?: string
  readonly env?: Readonly<Record<string, string>>
  /** Shell text around the command line, `$@`: for pipes and redirections. */
  readonly shell?: string
}

/** Starts ebpf-run with these arguments. */
export function startCli(args: readonly string[], options: CliOptions = {}): Running {
  const { steps, version, env = {}, shell } = options
  const folder = steps === undefined ? null : makeFake(steps, version).folder
  const path = folder === null ? process.env['PATH'] : `${folder}:${process.env['PATH']}`
  const words = [process.execPath, cli, ...args]
  const [command = '', ...rest] =
    shell === undefined ? words : ['/bin/bash', '-c', shell, 'bash', ...words]
  const child = spawn(command, rest, {
    env: { ...withoutColors(process.env), PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  const outcome = new Promise<Outcome>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, ...said }))
  })
  return {
    process: child,
    said,
    outcome,
    async until(pattern, stream = 'stderr') {
      while (!pattern.test(said[stream])) {
        if (child.exitCode !== null)
          throw new Error(`it ended without ${pattern}: ${said.stderr}${said.stdout}`)
        await sleep(10)
      }
    },
  }
}

function withoutColors(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = env
  return rest
}

/** Runs ebpf-run to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  return startCli(args, options).outcome
}

/** A PATH with these programs of the host and no others. */
export function pathWith(...names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'fake-'))
  for (const name of names) {
    const path = findTool(name, process.env)
    if (path !== null) symlinkSync(path, join(folder, name))
  }
  return folder
}

/** The JSON lines of a text. */
export function linesOf(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line))
}
