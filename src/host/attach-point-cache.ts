import { release, version } from 'node:os'

import { type AttachPoints, type AttachType, attachTypes } from './attach-points.ts'
import { openCached, writeCached } from './cache.ts'
import { fingerprint } from './fingerprint.ts'
import { type Pages, pagesOf } from './pages.ts'
import { readHost } from './read.ts'

/** The list, a line an attach point: `kprobe:tcp_connect`. It is searched as it lies in its file: most of it is never looked at. */
export interface AttachPointList {
  /** The lines of one type, or all. */
  textOf(type: AttachType | null): string
  /** Those whose own name, without the module's, begins so. */
  textFrom(type: AttachType, prefix: string): string
  readonly gaps: AttachPoints['gaps']
  /** Names that several functions of the kernel have, each between two blanks. */
  readonly repeated: string
}

/** The first line of the file: what could not be seen, and how many bytes follow for the repeated names and for each type. */
interface Head {
  readonly gaps: AttachPoints['gaps']
  readonly repeated: number
  readonly sizes: Readonly<Record<AttachType, number>>
}

/** What this kernel offers, from the cache where it fits this kernel and its modules. The list is good until `use` has ended. */
export async function withAttachPoints<Result>(
  env: NodeJS.ProcessEnv,
  use: (list: AttachPointList) => Result | Promise<Result>,
): Promise<Result> {
  const name = `attach-points-${keyOfThisKernel()}.txt`
  const kept = openCached(name, env)
  try {
    const known = kept === null ? null : parseList(kept)
    return await use(known ?? (await readAnew((bytes) => writeCached(name, bytes, env), env)))
  } finally {
    kept?.close()
  }
}

async function readAnew(
  keep: (bytes: Buffer) => void,
  env: NodeJS.ProcessEnv,
): Promise<AttachPointList> {
  const { readAttachPoints } = await import('./read-attach-points.ts')
  const bytes = listBytes(await readAttachPoints(env))
  keep(bytes)
  return listOf(bytes)
}

/** Another kernel, or other modules: other attach points. */
function keyOfThisKernel(): string {
  const modules = readHost('/proc/modules')
  return fingerprint([
    '3',
    release(),
    version(),
    'text' in modules ? modules.text.replace(/ .*/g, '') : '',
  ])
}

/** The file of a list. */
export function listBytes({ names, gaps, repeated }: AttachPoints): Buffer {
  const parts = attachTypes.map((type) => names[type].map((name) => `${type}:${name}\n`).join(''))
  const shared = ` ${repeated.join(' ')} `
  const head: Head = {
    gaps,
    repeated: shared.length,
    sizes: Object.fromEntries(
      attachTypes.map((type, at) => [type, parts[at]?.length ?? 0]),
    ) as Head['sizes'],
  }
  return Buffer.from(`${JSON.stringify(head)}\n${shared}${parts.join('')}`, 'latin1')
}

/** The list of a file's bytes. */
export function listOf(bytes: Buffer): AttachPointList {
  const list = parseList(pagesOf(bytes))
  if (list === null) throw new Error('a list of attach points has no head')
  return list
}

/** Longer than any head: five reasons of a line each. */
const headBytes = 4096

function parseList(file: Pages): AttachPointList | null {
  const start = file.bytes(0, headBytes)
  const end = start.indexOf(10)
  const head = parseHead(start.toString('latin1', 0, Math.max(end, 0)))
  if (head === null) return null
  const linesAt = end + 1 + head.repeated
  const sizeOf = (types: readonly AttachType[]) =>
    types.reduce((sum, each) => sum + head.sizes[each], 0)
  if (file.length !== linesAt + sizeOf(attachTypes)) return null
  const range = (type: AttachType) => {
    const from = linesAt + sizeOf(attachTypes.slice(0, attachTypes.indexOf(type)))
    return { from, to: from + head.sizes[type] }
  }
  const text = (from: number, to: number) => file.bytes(from, to).toString('latin1')
  return {
    gaps: head.gaps,
    repeated: text(end + 1, linesAt),
    textOf(type) {
      if (type === null) return text(linesAt, file.length)
      const { from, to } = range(type)
      return text(from, to)
    },
    textFrom(type, prefix) {
      const { from, to } = range(type)
      return text(
        firstLine(file, from, to, (name) => name >= prefix),
        firstLine(file, from, to, (name) => name > prefix && !name.startsWith(prefix)),
      )
    },
  }
}

function parseHead(text: string): Head | null {
  try {
    const head: Head = JSON.parse(text)
    return attachTypes.every((type) => Number.isSafeInteger(head.sizes[type])) ? head : null
  } catch {
    return null
  }
}

/** No line of the list is longer: a name of the kernel has at most 511 bytes (KSYM_NAME_LEN). */
const longestLine = 1024

/** Where the first of the sorted lines begins whose own name is wanted, as all after it are; `to` for none. */
function firstLine(
  file: Pages,
  from: number,
  to: number,
  isWanted: (name: string) => boolean,
): number {
  let [low, high] = [from, to]
  while (low < high) {
    const middle = (low + high) >>> 1
    const before = file.bytes(Math.max(low, middle - longestLine), middle)
    const newline = before.lastIndexOf(10)
    const start = newline === -1 ? low : middle - before.length + newline + 1
    const rest = file.bytes(start, Math.min(to, start + longestLine))
    const length = rest.indexOf(10)
    if (isWanted(ownName(rest.toString('latin1', 0, length)))) high = start
    else low = start + length + 1
  }
  return low
}

/** `nf_nat_setup_info` of `kprobe:nf_nat:nf_nat_setup_info`. */
const ownName = (line: string): string => line.slice(line.lastIndexOf(':') + 1)
