import { readFile } from 'node:fs/promises'
import { builtin } from '../../probes/index.ts'
import { EbpfRunError } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { includesOf, withIncludes } from './includes.ts'
import { nearest } from './nearest.ts'
import { userProbeNames, type UserProbes } from './user-folder.ts'

/** The built-in probe of this name or alias; null for any other word. */
export function builtinNamed(typed: string): keyof typeof builtin | null {
  for (const [name, entry] of Object.entries(builtin)) {
    if (name === typed || entry.aliases.includes(typed)) return name as keyof typeof builtin
  }
  return null
}

/** UNKNOWN_PROBE with a suggestion. */
export function unknownProbe(typed: string, others: readonly string[] = []): EbpfRunError {
  const names = Object.entries(builtin).flatMap(([name, entry]) => [name, ...entry.aliases])
  const close = nearest(typed, [...names, ...others])
  return new EbpfRunError({
    code: 'UNKNOWN_PROBE',
    message: `there is no probe '${typed}'`,
    found: typed,
    remedy: close === null ? 'ebpf-run list' : `did you mean ${close}? ebpf-run list shows all`,
  })
}

/**
 * Definition and templates of a built-in probe, by name or alias, or of one of the user's where these are given. Throws
 * UNKNOWN_PROBE; UNTRUSTED_PROBE, BAD_DEFINITION for one of the user's.
 */
export async function loadProbe(
  typed: string,
  user: UserProbes | null = null,
): Promise<LoadedProbe> {
  const name = builtinNamed(typed)
  if (name !== null) return loadBuiltin(name)
  const names = user === null ? [] : userProbeNames(user.folder)
  if (user === null || !names.includes(typed)) throw unknownProbe(typed, names)
  return (await import('./user.ts')).loadUserProbe(typed, user)
}

async function loadBuiltin(name: keyof typeof builtin): Promise<LoadedProbe> {
  const spec: ProbeSpec = await builtin[name].load()
  const folder = new URL(`../../probes/${name}/`, import.meta.url)
  const templates = await Promise.all(
    spec.variants.map(
      async (variant) =>
        [variant.name, await readTemplate(new URL(variant.template, folder))] as const,
    ),
  )
  return { spec, templates: Object.fromEntries(templates) }
}

/** A template with the files that it includes, and those that they do. Throws BAD_DEFINITION for a circle. */
async function readTemplate(file: URL, above: readonly string[] = []): Promise<string> {
  if (above.includes(file.href))
    throw new EbpfRunError({
      code: 'BAD_DEFINITION',
      message: `${file.pathname} includes itself`,
    })
  const source = await readFile(file, 'utf8')
  const names = includesOf(source, file.pathname)
  const read = (name: string) => readTemplate(new URL(name, file), [...above, file.href])
  const files = await Promise.all(names.map(async (name) => [name, await read(name)] as const))
  return withIncludes(source, Object.fromEntries(files))
}
