import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const systemFolder = '/var/cache/ebpf-run'

/** A text that was kept, null for none. Root writes the machine's cache, everybody else reads it, or has one of his own. */
export function readCached(name: string, env: NodeJS.ProcessEnv): string | null {
  return readCachedBytes(name, env)?.toString('latin1') ?? null
}

/** The same as it lies there; of what is older than `mostAgeMs` there is none. */
export function readCachedBytes(
  name: string,
  env: NodeJS.ProcessEnv,
  mostAgeMs = Number.POSITIVE_INFINITY,
): Buffer | null {
  return (
    readTrusted(join(systemFolder, name), 0, mostAgeMs) ??
    readTrusted(join(ownFolder(env), name), process.geteuid?.() ?? -1, mostAgeMs)
  )
}

/** Keeps a text, whole or not at all. A folder that cannot be written means that the next call looks again. */
export function writeCached(name: string, text: string, env: NodeJS.ProcessEnv): void {
  const folder = ownFolder(env)
  const path = join(folder, name)
  const draft = `${path}.${process.pid}`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    writeFileSync(draft, text, { encoding: 'latin1', mode: 0o644 })
    renameSync(draft, path)
  } catch {
    // Nothing depends on it.
  }
}

function ownFolder(env: NodeJS.ProcessEnv): string {
  return process.geteuid?.() === 0
    ? systemFolder
    : join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ebpf-run')
}

/** A cache of somebody else's is not believed: its file must be its owner's, and no one else may write it. */
function readTrusted(path: string, owner: number, mostAgeMs: number): Buffer | null {
  try {
    const { uid, mode, mtimeMs } = statSync(path)
    const age = Date.now() - mtimeMs
    return uid === owner && (mode & 0o022) === 0 && age <= mostAgeMs ? readFileSync(path) : null
  } catch {
    return null
  }
}
