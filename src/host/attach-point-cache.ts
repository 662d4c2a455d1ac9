import { createHash } from 'node:crypto'
import { release, version } from 'node:os'

import { type AttachPoints, attachTypes } from './attach-points.ts'
import { readCached, writeCached } from './cache.ts'
import { readHost } from './read.ts'

/** The list as text, a line an attach point: `kprobe:tcp_connect`. Text, because it is searched and not taken apart. */
export interface AttachPointList {
  readonly text: string
  readonly gaps: AttachPoints['gaps']
  /** Names that several functions of the kernel have, each between two blanks. */
  readonly repeated: string
}

/** What this kernel offers, from the cache where it fits this kernel and its modules. */
export async function attachPointList(env: NodeJS.ProcessEnv): Promise<AttachPointList> {
  const name = `attach-points-${fingerprint()}.txt`
  const known = parseList(readCached(name, env))
  if (known !== null) return known
  const { readAttachPoints } = await import('./read-attach-points.ts')
  const list = toList(await readAttachPoints(env))
  const { text, gaps, repeated } = list
  writeCached(name, `${JSON.stringify(gaps)}\n${repeated}\n${text}`, env)
  return list
}

/** Another kernel, or other modules: other attach points. */
function fingerprint(): string {
  const modules = readHost('/proc/modules')
  const names = 'text' in modules ? modules.text.replace(/ .*/g, '') : ''
  return createHash('sha256')
    .update(JSON.stringify(['2', release(), version(), names]))
    .digest('hex')
    .slice(0, 16)
}

function toList({ names, gaps, repeated }: AttachPoints): AttachPointList {
  const text = attachTypes
    .flatMap((type) => names[type].map((name) => `${type}:${name}\n`))
    .join('')
  return { text, gaps, repeated: ` ${repeated.join(' ')} ` }
}

function parseList(cached: string | null): AttachPointList | null {
  if (cached === null) return null
  const first = cached.indexOf('\n')
  const second = cached.indexOf('\n', first + 1)
  try {
    return {
      gaps: JSON.parse(cached.slice(0, first)),
      repeated: cached.slice(first + 1, second),
      text: cached.slice(second + 1),
    }
  } catch {
    return null
  }
}
