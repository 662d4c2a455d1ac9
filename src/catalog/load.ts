import { readFile } from 'node:fs/promises'
import { builtin } from '../../probes/index.ts'
import { EbpfRunError } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { includesOf, withIncludes } from './includes.ts'
import { nearest } from './nearest.ts'

/** A probe's name from what a user typed: a name or an alias. Throws UNKNOWN_PROBE with a suggestion. */
export function resolveName(typed: string): keyof typeof builtin {
  for (const [name, entry] of Object.entries(builtin)) {
    if (name === typed || entry.aliases.includes(typed)) return name as keyof typeof builtin
  }
  const close = nearest(
    typed,
    Object.entries(builtin).flatMap(([name, entry]) => [name, ...entry.aliases]),
  )
  throw new EbpfRunError({
    code: 'UNKNOWN_PROBE',
    message: `there is no probe '${typed}'`,
    found: typed,
    remedy: close === null ? 'ebpf-run list' : `did you mean ${close}? ebpf-run list shows all`,
  })
}

/** Definition and templates of a built-in probe. */
export async function loadProbe(typed: string): Promise<LoadedProbe> {
  const name = resolveName(typed)
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

/** A template with the files that it includes, and those that they include. */
async function readTemplate(file: URL): Promise<string> {
  const source = await readFile(file, 'utf8')
  const names = includesOf(source, file.pathname)
  const files = await Promise.all(
    names.map(async (name) => [name, await readTemplate(new URL(name, file))] as const),
  )
  return withIncludes(source, Object.fromEntries(files))
}
