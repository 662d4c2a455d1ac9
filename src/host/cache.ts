import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type FilePages, openPages } from './pages.ts'

const systemFolder = '/var/cache/ebpf-run'

/** A text that was kept, null for none and for one that is older than `mostAgeMs`. */
export function readCached(
  name: string,
  env: NodeJS.ProcessEnv,
  mostAgeMs = Number.POSITIVE_INFINITY,
): string | null {
  const file = openCached(name, env, mostAgeMs)
  if (file === null) return null
  try {
    return file.bytes(0, file.length).toString('latin1')
  } finally {
    file.close()
  }
}

/** The same as a file of which parts are read. Root writes the machine's cache, everybody else reads it, or has one of his own. */
export function openCached(
  name: string,
  env: NodeJS.ProcessEnv,
  mostAgeMs = Number.POSITIVE_INFINITY,
): FilePages | null {
  return (
    openTrusted(join(systemFolder, name), 0, mostAgeMs) ??
    openTrusted(join(ownFolder(env), name), process.geteuid?.() ?? -1, mostAgeMs)
  )
}

/** Keeps a text or bytes, whole or not at all. A folder that cannot be written means that the next call looks again. */
export function writeCached(name: string, what: string | Buffer, env: NodeJS.ProcessEnv): void {
  const folder = ownFolder(env)
  const path = join(folder, name)
  const draft = `${path}.${process.pid}`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    writeFileSync(draft, what, { encoding: 'latin1', mode: 0o644 })
    renameSync(draft, path)
    removeOlder(folder, name)
  } catch {
    // Nothing depends on it.
  }
}

/** What was kept under the same name before its fingerprint, of other kernels and other modules, and is out of use. */
function removeOlder(folder: string, name: string): void {
  const [, stem, ending] = /^(.+-)[0-9a-f]{16}(\.\w+)$/.exec(name) ?? []
  if (stem === undefined || ending === undefined) return
  for (const other of readdirSync(folder)) {
    if (other === name || !other.startsWith(stem) || !other.endsWith(ending)) continue
    if (Date.now() - statSync(join(folder, other)).mtimeMs > longUnusedMs)
      rmSync(join(folder, other), { force: true })
  }
}

const longUnusedMs = 30 * 86_400_000

function ownFolder(env: NodeJS.ProcessEnv): string {
  return process.geteuid?.() === 0
    ? systemFolder
    : join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ebpf-run')
}

/** A cache of somebody else's is not believed: its file must be its owner's, and no one else may write it. */
function openTrusted(path: string, owner: number, mostAgeMs: number): FilePages | null {
  try {
    const file = openPages(path)
    const { uid, mode, mtimeMs } = file
    if (uid === owner && (mode & 0o022) === 0 && Date.now() - mtimeMs <= mostAgeMs) return file
    file.close()
    return null
  } catch {
    return null
  }
}
