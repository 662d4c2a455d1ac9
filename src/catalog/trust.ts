import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs'
import { dirname } from 'node:path'
import { EbpfRunError } from '../errors.ts'

/*
 * Templates become programs in the kernel. What root loads must therefore be root's alone: the files, their folder, and every
 * folder above it. A folder that has been found so cannot be changed by others, so looking from the root down leaves no gap
 * between the look and the use. Rights that an ACL gives show in the group's bits of the mode.
 */

const writableByOthers = 0o022
const largestFile = 1024 * 1024

/** The first part of a path that others than root can change, from the root down; null when there is none. */
export function untrustedPart(
  folder: string,
): { readonly path: string; readonly found: string } | null {
  for (const path of pathsTo(realFolder(folder))) {
    const stats = lstatSync(path)
    const found = stats.isDirectory() ? wrongStats(stats) : 'no folder'
    if (found !== null) return { path, found }
  }
  return null
}

/** The real path of a folder that root alone can change. Throws UNTRUSTED_PROBE with what is not so. */
export function trustedFolder(folder: string): string {
  const real = realFolder(folder)
  const wrong = untrustedPart(real)
  if (wrong === null) return real
  throw untrusted(folder, wrong.path, wrong.found, wrong.path === real)
}

/** The path without links. Throws BAD_DEFINITION, such as for a link that leads nowhere. */
export function realFolder(folder: string): string {
  try {
    return realpathSync(folder)
  } catch (error) {
    throw unreadable(folder, errnoOf(error), 'a folder')
  }
}

/** `/a/b` to `/`, `/a`, `/a/b`. */
function pathsTo(path: string): readonly string[] {
  return path === '/' ? ['/'] : [...pathsTo(dirname(path)), path]
}

/**
 * The text of a file in a probe's folder. Strict: it must be root's, and no symbolic link. Throws UNTRUSTED_PROBE, BAD_DEFINITION.
 */
export function readProbeFile(folder: string, name: string, isStrict: boolean): string {
  const path = `${folder}/${name}`
  // A named pipe would keep a plain open() waiting.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (isStrict ? constants.O_NOFOLLOW : 0)
  const file = open(folder, path, flags)
  try {
    const stats = fstatSync(file)
    const wrong = isStrict ? wrongStats(stats) : null
    if (wrong !== null) throw untrusted(folder, path, wrong, true)
    if (!stats.isFile() || stats.size > largestFile)
      throw unreadable(path, stats.isFile() ? `${stats.size} bytes` : 'no regular file')
    const bytes = Buffer.alloc(stats.size)
    const length = readSync(file, bytes, 0, stats.size, 0)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(file)
  }
}

function open(folder: string, path: string, flags: number): number {
  try {
    return openSync(path, flags)
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ELOOP') throw untrusted(folder, path, 'a symbolic link', false)
    throw unreadable(path, code)
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
}

function wrongStats({ uid, mode }: Stats): string | null {
  if (uid === 0 && (mode & writableByOthers) === 0) return null
  return `owner ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`
}

/** As a shell reads it as one word. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function untrusted(
  folder: string,
  what: string,
  found: string,
  /** Another owner and mode of the folder would do. */
  isOwn: boolean,
): EbpfRunError {
  const word = shellWord(folder)
  const remedy = isOwn
    ? `sudo chown -R root: ${word} && sudo chmod -R go-w ${word}`
    : `sudo mkdir -p /etc/ebpf-run/probes && sudo cp -RL ${word} /etc/ebpf-run/probes/`
  return new EbpfRunError({
    code: 'UNTRUSTED_PROBE',
    message: `${folder} can be changed by others, and its templates become programs of the kernel`,
    expected:
      'owner 0 (root) and no right to write for others, of its files, itself and every folder above it',
    found: `${what}: ${found}`,
    remedy: `look at it, then ${remedy}; or --allow-user-probes`,
  })
}

function unreadable(
  path: string,
  found: string,
  expected = 'a regular file of at most 1 MiB',
): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `${path} cannot be read`,
    expected,
    found,
    remedy: 'docs/user-probes.md says what stands in the folder of a probe',
  })
}
