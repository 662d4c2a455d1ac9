import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where probes of the user's own are, and how much they are trusted. */
export interface UserProbes {
  readonly folder: string
  /** Root loads them also where others can write. */
  readonly isAllowed: boolean
}

type Env = Readonly<Record<string, string | undefined>>

/** EBPF_RUN_PROBES; else /etc/ebpf-run/probes for root, and below XDG_CONFIG_HOME or ~/.config for others. */
export function userFolder(env: Env, isRoot: boolean = process.geteuid?.() === 0): string {
  const asked = env['EBPF_RUN_PROBES']
  if (asked) return resolve(asked)
  if (isRoot) return '/etc/ebpf-run/probes'
  // An XDG folder that is not absolute is to be ignored (XDG base directory specification).
  const xdg = env['XDG_CONFIG_HOME'] ?? ''
  return join(xdg.startsWith('/') ? xdg : join(env['HOME'] || '/', '.config'), 'ebpf-run/probes')
}

export function userProbesOf(env: Env, isAllowed: boolean): UserProbes {
  return { folder: userFolder(env), isAllowed }
}

/** The names of the folders there, in order. None where nothing can be read: who has no probes pays for one system call. */
export function userProbeNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map(({ name }) => name)
      .filter((name) => /^[a-z][a-z0-9_-]{0,63}$/.test(name))
      .toSorted()
  } catch {
    return []
  }
}
