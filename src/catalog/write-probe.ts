import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EbpfRunError } from '../errors.ts'
import { probeName } from '../schema/definition.ts'
import { builtinNamed } from './load.ts'
import { shellWord, untrustedPart } from './trust.ts'

export interface ProbeFile {
  readonly text: string
  readonly isProgram?: true
}

/** Refuses a name that is no word, or one that something else has. Throws BAD_VALUE. */
export function requireNewName(name: string, commands: readonly string[]): void {
  const isTaken = builtinNamed(name) !== null || [...commands, 'help'].includes(name)
  if (probeName.test(name) && !isTaken) return
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: isTaken
      ? `'${name}' is already a probe or a command of ebpf-run`
      : 'a name for the probe was expected',
    expected: 'a small letter, then at most 63 small letters, digits, - and _',
    found: JSON.stringify(name.slice(0, 120)),
    remedy: isTaken ? `ebpf-run new my-${name} --from …` : 'ebpf-run new my-probe --from …',
  })
}

/** Refuses a place that is taken, and as root one that others can change. Throws PROBE_EXISTS, UNTRUSTED_PROBE. */
export function requireFreePlace(
  folder: string,
  name: string,
  isAllowed: boolean = process.geteuid?.() !== 0,
): void {
  const target = join(folder, name)
  if (exists(target))
    throw new EbpfRunError({
      code: 'PROBE_EXISTS',
      message: `${target} is there already`,
      remedy: `give it another name, or first: rm -r ${shellWord(target)}`,
    })
  // What root writes below a folder of somebody else's, that one can turn into something else while it is written.
  const wrong = isAllowed ? null : untrustedPart(nearestFolder(folder))
  if (wrong === null) return
  throw new EbpfRunError({
    code: 'UNTRUSTED_PROBE',
    message: `${folder} can be changed by others, and root would write and load there`,
    expected: 'owner 0 (root) and no right to write for others, up to /',
    found: `${wrong.path}: ${wrong.found}`,
    remedy: "leave out --dir: /etc/ebpf-run/probes is root's; or --allow-user-probes",
  })
}

/**
 * Writes the folder of a probe, all of it or nothing: beside its place, then moved there. Returns its path. Throws what the
 * system says.
 */
export function writeProbe(
  folder: string,
  name: string,
  files: Readonly<Record<string, ProbeFile>>,
): string {
  const target = join(folder, name)
  // No name of a probe begins with a dot, so nobody loads what is not whole.
  const half = join(folder, `.new-${name}-${randomBytes(6).toString('hex')}`)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  mkdirSync(half, { mode: 0o755 })
  try {
    for (const [file, { text, isProgram }] of Object.entries(files))
      writeFileSync(join(half, file), text, { flag: 'wx', mode: isProgram ? 0o755 : 0o644 })
    renameSync(half, target)
  } catch (error) {
    rmSync(half, { recursive: true, force: true })
    throw error
  }
  return target
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** The folder itself, or the first above it that exists. */
export function nearestFolder(path: string): string {
  return exists(path) || path === dirname(path) ? path : nearestFolder(dirname(path))
}
