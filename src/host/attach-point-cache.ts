import { createHash } from 'node:crypto'
import { release, version } from 'node:os'

import { type AttachPoints, attachTypes } from './attach-points.ts'
import { readCachedBytes, writeCached } from './cache.ts'
import { readHost } from './read.ts'

/** The list, a line an attach point: `kprobe:tcp_connect`. It is searched as it lies in its file: most of it is never looked at. */
export interface AttachPointList {
  /** The lines of one type, or all. */
  textOf(type: string | null): string
  /** The lines that contain this; a line ends with \n. */
  linesWith(part: string): readonly string[]
  readonly gaps: AttachPoints['gaps']
  /** Names that several functions of the kernel have, each between two blanks. */
  readonly repeated: string
}

/** What this kernel offers, from the cache where it fits this kernel and its modules. */
export async function attachPointList(env: NodeJS.ProcessEnv): Promise<AttachPointList> {
  const name = `attach-points-${fingerprint()}.txt`
  const known = parseList(readCachedBytes(name, env))
  if (known !== null) return known
  const { readAttachPoints } = await import('./read-attach-points.ts')
  const { text, gaps, repeated } = toText(await readAttachPoints(env))
  writeCached(name, `${JSON.stringify(gaps)}\n${repeated}\n${text}`, env)
  return listOf(Buffer.from(text, 'latin1'), gaps, repeated)
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

function toText({ names, gaps, repeated }: AttachPoints) {
  const text = attachTypes
    .flatMap((type) => names[type].map((name) => `${type}:${name}\n`))
    .join('')
  return { text, gaps, repeated: ` ${repeated.join(' ')} ` }
}

/** A list of these lines, sorted by type. */
export function listOf(
  lines: Buffer,
  gaps: AttachPoints['gaps'],
  repeated: string,
): AttachPointList {
  return {
    gaps,
    repeated,
    textOf(type) {
      if (type === null) return lines.toString('latin1')
      const head = `${type}:`
      const isFirst = lines.toString('latin1', 0, head.length) === head
      const from = isFirst ? 0 : lines.indexOf(`\n${head}`) + 1
      if (from === 0 && !isFirst) return ''
      const last = Math.max(from, lines.lastIndexOf(`\n${head}`) + 1)
      const end = lines.indexOf('\n', last)
      return lines.toString('latin1', from, end === -1 ? lines.length : end + 1)
    },
    linesWith(part) {
      const found: string[] = []
      for (let at = lines.indexOf(part); at !== -1;) {
        const from = lines.lastIndexOf(10, at) + 1
        const end = lines.indexOf(10, at)
        found.push(lines.toString('latin1', from, end === -1 ? lines.length : end))
        if (end === -1) break
        at = lines.indexOf(part, end + 1)
      }
      return found
    },
  }
}

function parseList(cached: Buffer | null): AttachPointList | null {
  if (cached === null) return null
  const first = cached.indexOf(10)
  const second = cached.indexOf(10, first + 1)
  try {
    return listOf(
      cached.subarray(second + 1),
      JSON.parse(cached.toString('latin1', 0, first)),
      cached.toString('latin1', first + 1, second),
    )
  } catch {
    return null
  }
}
