import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs'

import { readCached, writeCached } from './cache.ts'
import type { HostFacts } from './facts.ts'
import { findTool, readBpftrace } from './tools.ts'

/**
 * The bpftrace on PATH and its version, without starting it where the same file was asked before: to start it takes as long as all
 * else that `describe` looks at. A script is asked each time, for it may start another bpftrace tomorrow.
 */
export async function readBpftraceCached(env: NodeJS.ProcessEnv): Promise<HostFacts['bpftrace']> {
  const path = findTool('bpftrace', env)
  const identity = path === null ? null : programIdentity(path)
  if (identity === null) return readBpftrace(undefined, env)
  const known = parseKnown(readCached(cacheName, env), identity)
  if (known !== null) return known
  const asked = await readBpftrace(undefined, env)
  if (asked.version !== null)
    writeCached(cacheName, JSON.stringify({ identity, bpftrace: asked }), env)
  return asked
}

const cacheName = 'bpftrace-version.json'

/** What changes with a program's file; null for a file that is no ELF program. */
function programIdentity(path: string): string | null {
  try {
    const real = realpathSync(path)
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(real)
    return isElf(real) ? [path, real, dev, ino, size, mtimeMs, ctimeMs].join(' ') : null
  } catch {
    return null
  }
}

function isElf(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const start = Buffer.alloc(4)
    readSync(file, start, 0, 4, 0)
    return start.toString('latin1') === '\x7fELF'
  } finally {
    closeSync(file)
  }
}

function parseKnown(cached: string | null, identity: string): HostFacts['bpftrace'] | null {
  try {
    const known = cached === null ? null : JSON.parse(cached)
    return known?.identity === identity ? known.bpftrace : null
  } catch {
    return null
  }
}
