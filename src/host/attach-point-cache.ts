import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir, release, version } from 'node:os'
import { join } from 'node:path'

import { type AttachPoints, attachTypes, readAttachPoints } from './attach-points.ts'
import { readHost } from './read.ts'

/** The list as text, a line an attach point: `kprobe:tcp_connect`. Text, because it is searched and not taken apart. */
export interface AttachPointList {
  readonly text: string
  readonly gaps: AttachPoints['gaps']
}

const systemFolder = '/var/cache/ebpf-run'

/**
 * What this kernel offers, from the cache where it fits this kernel and its modules. Root writes the machine's cache, everybody else
 * reads it, or has one of his own that lacks what only root sees.
 */
export async function attachPointList(env: NodeJS.ProcessEnv): Promise<AttachPointList> {
  const isRoot = process.geteuid?.() === 0
  const name = `attach-points-${fingerprint()}.txt`
  const own = isRoot
    ? systemFolder
    : join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ebpf-run')
  const known =
    readList(join(systemFolder, name), 0) ?? readList(join(own, name), process.geteuid?.() ?? -1)
  if (known !== null) return known
  const list = toList(await readAttachPoints(env))
  writeList(own, name, list)
  return list
}

/** Another kernel, or other modules: other attach points. */
function fingerprint(): string {
  const modules = readHost('/proc/modules')
  const names = 'text' in modules ? modules.text.replace(/ .*/g, '') : ''
  return createHash('sha256')
    .update(JSON.stringify(['1', release(), version(), names]))
    .digest('hex')
    .slice(0, 16)
}

function toList({ names, gaps }: AttachPoints): AttachPointList {
  const text = attachTypes
    .flatMap((type) => names[type].map((name) => `${type}:${name}\n`))
    .join('')
  return { text, gaps }
}

/** A cache of somebody else's is not believed: its file must be its owner's, and no one else may write it. */
function readList(path: string, owner: number): AttachPointList | null {
  try {
    const { uid, mode } = statSync(path)
    if (uid !== owner || (mode & 0o022) !== 0) return null
    const whole = readFileSync(path, 'latin1')
    const end = whole.indexOf('\n')
    return { gaps: JSON.parse(whole.slice(0, end)), text: whole.slice(end + 1) }
  } catch {
    return null
  }
}

/** Written whole or not at all. A folder that cannot be written means that the next call looks again. */
function writeList(folder: string, name: string, { text, gaps }: AttachPointList): void {
  const path = join(folder, name)
  const draft = `${path}.${process.pid}`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    writeFileSync(draft, `${JSON.stringify(gaps)}\n${text}`, { encoding: 'latin1', mode: 0o644 })
    renameSync(draft, path)
  } catch {
    // Nothing depends on it.
  }
}
