import { execFile } from 'node:child_process'
import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'

import { no, unknown, yes } from './fact.ts'
import type { HostFacts } from './facts.ts'
import { readFamily } from './os-release.ts'
import { readHost } from './read.ts'
import { installRemedy } from './remedies.ts'
import { parseVersion } from './version.ts'

/** First executable file of that name on PATH, null when there is none. */
export function findTool(name: string, env: NodeJS.ProcessEnv): string | null {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null
}

/** setpriv of util-linux, null when it is missing or BusyBox's, which has no --pdeathsig (BusyBox 1.35). */
export function findSetpriv(env: NodeJS.ProcessEnv): string | null {
  const path = findTool('setpriv', env)
  return path === null || basename(realpathSync(path)) === 'busybox' ? null : path
}

/**
 * The bpftrace to use (the path given, else the one on PATH) and what `bpftrace --version` says. Found is unknown for one that does
 * not answer within `patienceMs`.
 */
export async function readBpftrace(
  given: string | undefined,
  env: NodeJS.ProcessEnv,
  patienceMs: number = usualPatienceMs,
): Promise<HostFacts['bpftrace']> {
  const path = given ?? findTool('bpftrace', env)
  if (path === null) return noBpftrace(`no bpftrace on PATH (${env['PATH'] ?? 'unset'})`)
  if (!isExecutable(path)) return noBpftrace(`${path} is not an executable file`)
  const said = await runBriefly(path, ['--version'], { env, patienceMs })
  if (said === null)
    return {
      found: unknown(`${path} --version did not answer within ${patienceMs / 1000} s`),
      path,
      version: null,
    }
  return {
    found: yes(`${path}: ${said.trim() || 'no version printed'}`),
    path,
    version: parseVersion(said),
  }
}

function noBpftrace(evidence: string): HostFacts['bpftrace'] {
  const install = installRemedy('bpftrace', readFamily(readHost))
  return { found: no(evidence), path: null, version: null, install }
}

/** In a slow emulator with one busy CPU, 0.27.1 took more than 5 s to print its version. */
const usualPatienceMs = 30_000

/** stdout of a short program, empty when it could not run; null when it took too long. */
function runBriefly(
  path: string,
  args: readonly string[],
  { env, patienceMs }: { readonly env: NodeJS.ProcessEnv; readonly patienceMs: number },
): Promise<string | null> {
  const options = {
    env,
    timeout: patienceMs,
    killSignal: 'SIGKILL',
    encoding: 'latin1',
  } as const
  return new Promise((resolve) => {
    const child = execFile(path, args, options, (error, stdout) => {
      resolve(error?.killed === true ? null : stdout)
    })
    child.stdin?.end()
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
